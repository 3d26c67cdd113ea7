import "FlowToken"

/// The FLOW in the own vaults of some accounts, 0.0 where there is none, with the height of the block that says so.
/// Read from storage: a published balance can be made to lead to another vault.
access(all) fun main(addresses: [Address]): {String: AnyStruct} {
    let balances: [UFix64] = []
    for address in addresses {
        let account = getAuthAccount<auth(BorrowValue) &Account>(address)
        var balance = 0.0
        if account.storage.type(at: /storage/flowTokenVault) == Type<@FlowToken.Vault>() {
            balance = account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.balance
        }
        balances.append(balance)
    }
    return {"height": getCurrentBlock().height, "balances": balances}
}
