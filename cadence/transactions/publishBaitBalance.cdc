import "FungibleToken"
import "BaitCoin"

/// Publishes the signing wallet's BaitCoin balance where it is not readable. Needs the vault; changes nothing that is right.
transaction {

    prepare(wallet: auth(IssueStorageCapabilityController, PublishCapability, UnpublishCapability, GetStorageCapabilityController) &Account) {
        assert(
            wallet.storage.type(at: /storage/baitCoinVault) == Type<@BaitCoin.Vault>(),
            message: "publishBaitBalance: the wallet has no BaitCoin vault"
        )

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
