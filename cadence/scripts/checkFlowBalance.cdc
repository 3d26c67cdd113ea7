import "FlowToken"

/// The FLOW in an account's own vault; nil where it has none.
/// Read from storage: a published balance can be made to lead to another vault, and its owner would look poor.
access(all) fun main(address: Address): UFix64? {
    let account = getAuthAccount<auth(BorrowValue) &Account>(address)
    if account.storage.type(at: /storage/flowTokenVault) != Type<@FlowToken.Vault>() {
        return nil
    }
    return account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)?.balance
}
