import "FungibleToken"
import "FlowToken"

/// Sends FLOW from the signer to one account. Fails when the account has no FLOW vault behind its public receiver.
transaction(address: Address, amount: UFix64) {

    prepare(payer: auth(BorrowValue) &Account) {
        assert(amount > 0.0, message: "fundWallet: the amount must be greater than zero")

        let receiver = getAccount(address).capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)
            ?? panic("fundWallet: the account has no FLOW receiver: ".concat(address.toString()))
        // Any contract can implement Receiver, and its deposit would run here: only FLOW's own vault is called.
        assert(receiver.getType() == Type<@FlowToken.Vault>(), message: "fundWallet: the receiver is not a FLOW vault: ".concat(address.toString()))

        let funds = payer.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)
            ?? panic("fundWallet: the payer has no FLOW vault")
        receiver.deposit(from: <- funds.withdraw(amount: amount))
    }
}
