import "FungibleToken"
import "FlowToken"
import "BaitCoin"

/// Makes one whole wallet for each public key: account, key, FLOW, BaitCoin vault and both capabilities.
/// `publicKeys`: 64 bytes each, hex, ECDSA_P256. `fundingAmount`: FLOW for each wallet; zero gives none.
/// All or nothing. An account costs about 324 computation of a transaction's 9,999, so 30 fit; 25 leave room.
transaction(publicKeys: [String], fundingAmount: UFix64) {

    prepare(payer: auth(BorrowValue) &Account) {
        assert(publicKeys.length > 0, message: "createWallets: no public keys")
        assert(publicKeys.length <= 25, message: "createWallets: more than 25 public keys")

        let funds = payer.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)
            ?? panic("createWallets: the payer has no FLOW vault")

        for publicKey in publicKeys {
            let account = Account(payer: payer)

            account.keys.add(
                publicKey: PublicKey(
                    publicKey: publicKey.decodeHex(),
                    signatureAlgorithm: SignatureAlgorithm.ECDSA_P256
                ),
                hashAlgorithm: HashAlgorithm.SHA3_256,
                weight: 1000.0
            )

            if fundingAmount > 0.0 {
                // Straight into the vault: a new account holds nothing hostile.
                let vault = account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)
                    ?? panic("createWallets: a new account has no FLOW vault")
                vault.deposit(from: <- funds.withdraw(amount: fundingAmount))
            }

            account.storage.save(<- BaitCoin.createEmptyVault(vaultType: Type<@BaitCoin.Vault>()), to: /storage/baitCoinVault)
            account.capabilities.publish(
                account.capabilities.storage.issue<&{FungibleToken.Receiver}>(/storage/baitCoinVault),
                at: /public/baitCoinReceiver
            )
            account.capabilities.publish(
                account.capabilities.storage.issue<&{FungibleToken.Balance}>(/storage/baitCoinVault),
                at: /public/baitCoinVault
            )
        }
    }
}
