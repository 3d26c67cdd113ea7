import "FungibleToken"
import "FlowToken"

/// Sends FLOW from the signer to many accounts, `amounts[i]` to `addresses[i]`.
/// An account whose receiver is missing or is no FLOW vault is passed over, so that it harms none but itself:
/// who was paid is read from the TokensDeposited events.
transaction(addresses: [Address], amounts: [UFix64]) {

    prepare(payer: auth(BorrowValue) &Account) {
        assert(addresses.length > 0, message: "fundWallets: no addresses")
        assert(addresses.length == amounts.length, message: "fundWallets: as many amounts as addresses are needed")

        let funds = payer.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)
            ?? panic("fundWallets: the payer has no FLOW vault")

        var i = 0
        while i < addresses.length {
            assert(amounts[i] > 0.0, message: "fundWallets: every amount must be greater than zero")

            if let receiver = getAccount(addresses[i]).capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver) {
                // Any contract can implement Receiver, and its deposit would run here: only FLOW's own vault is called.
                if receiver.getType() == Type<@FlowToken.Vault>() {
                    receiver.deposit(from: <- funds.withdraw(amount: amounts[i]))
                }
            }
            i = i + 1
        }
    }
}
