import "FungibleToken"
import "BaitCoin"

/// The BaitCoin balance that an account publishes; nil where it publishes none.
access(all) fun main(address: Address): UFix64? {
    if let published = getAccount(address).capabilities.borrow<&{FungibleToken.Balance}>(/public/baitCoinVault) {
        // Any resource can implement Balance and say what it likes.
        if published.getType() == Type<@BaitCoin.Vault>() {
            return published.balance
        }
    }
    return nil
}
