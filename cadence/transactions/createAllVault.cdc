import "FungibleToken"
import "BaitCoin"

/// Gives the signing wallet what it lacks of: BaitCoin vault, receiver capability, balance capability.
/// Changes nothing that is right, so it can run any number of times. What lies at the vault's place and is no BaitCoin vault is
/// never moved: the transaction fails. Where a capability leads is read from its controller: borrowing could load a value whose
/// contract no longer exists.
transaction {

    prepare(wallet: auth(SaveValue, IssueStorageCapabilityController, PublishCapability, UnpublishCapability, GetStorageCapabilityController) &Account) {
        // The type is read without loading the value: it may be of a contract that no longer exists.
        let stored = wallet.storage.type(at: /storage/baitCoinVault)
        if stored == nil {
            wallet.storage.save(<- BaitCoin.createEmptyVault(vaultType: Type<@BaitCoin.Vault>()), to: /storage/baitCoinVault)
        } else {
            assert(stored! == Type<@BaitCoin.Vault>(), message: "createAllVault: something else is stored at /storage/baitCoinVault")
        }

        let receiver = wallet.capabilities.get<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)
        if wallet.capabilities.storage.getController(byCapabilityID: receiver.id)?.target() != /storage/baitCoinVault {
            wallet.capabilities.unpublish(/public/baitCoinReceiver)
            wallet.capabilities.publish(
                wallet.capabilities.storage.issue<&{FungibleToken.Receiver}>(/storage/baitCoinVault),
                at: /public/baitCoinReceiver
            )
        }

        let balance = wallet.capabilities.get<&{FungibleToken.Balance}>(/public/baitCoinVault)
        if wallet.capabilities.storage.getController(byCapabilityID: balance.id)?.target() != /storage/baitCoinVault {
            wallet.capabilities.unpublish(/public/baitCoinVault)
            wallet.capabilities.publish(
                wallet.capabilities.storage.issue<&{FungibleToken.Balance}>(/storage/baitCoinVault),
                at: /public/baitCoinVault
            )
        }
    }
}
