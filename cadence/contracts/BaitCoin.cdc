import "FungibleToken"

/// A fungible token for the emulator and for tests, with the paths that BaitCoin has on mainnet.
/// Nothing but the account that holds the contract can mint: the minter lies in its storage, and no capability to it is published.
access(all) contract BaitCoin: FungibleToken {

    access(all) let VaultStoragePath: StoragePath
    access(all) let ReceiverPublicPath: PublicPath
    access(all) let BalancePublicPath: PublicPath
    access(all) let MinterStoragePath: StoragePath

    access(all) var totalSupply: UFix64

    access(all) event TokensMinted(amount: UFix64)

    /// A balance of this token. Only `createEmptyVault`, `withdraw` and the minter make one.
    access(all) resource Vault: FungibleToken.Vault {

        access(all) var balance: UFix64

        init(balance: UFix64) {
            self.balance = balance
        }

        /// Called when a vault is destroyed by `Burner.burn`: what it held leaves the supply.
        access(contract) fun burnCallback() {
            BaitCoin.totalSupply = BaitCoin.totalSupply - self.balance
            self.balance = 0.0
        }

        access(all) view fun isAvailableToWithdraw(amount: UFix64): Bool {
            return amount <= self.balance
        }

        access(FungibleToken.Withdraw) fun withdraw(amount: UFix64): @BaitCoin.Vault {
            self.balance = self.balance - amount
            return <- create Vault(balance: amount)
        }

        access(all) fun deposit(from: @{FungibleToken.Vault}) {
            let payment <- from as! @BaitCoin.Vault
            self.balance = self.balance + payment.balance
            // Emptied first, so that destroying it takes nothing from the supply.
            payment.balance = 0.0
            destroy payment
        }

        access(all) fun createEmptyVault(): @BaitCoin.Vault {
            return <- create Vault(balance: 0.0)
        }

        access(all) view fun getViews(): [Type] {
            return BaitCoin.getContractViews(resourceType: nil)
        }

        access(all) fun resolveView(_ view: Type): AnyStruct? {
            return BaitCoin.resolveContractView(resourceType: nil, viewType: view)
        }
    }

    /// Makes tokens. There is one, in the contract account's storage.
    access(all) resource Minter {

        access(all) fun mint(amount: UFix64): @BaitCoin.Vault {
            pre {
                amount > 0.0: "BaitCoin.Minter.mint: the amount must be greater than zero"
            }
            BaitCoin.totalSupply = BaitCoin.totalSupply + amount
            emit TokensMinted(amount: amount)
            return <- create Vault(balance: amount)
        }
    }

    access(all) fun createEmptyVault(vaultType: Type): @BaitCoin.Vault {
        return <- create Vault(balance: 0.0)
    }

    /// This token publishes no metadata views.
    access(all) view fun getContractViews(resourceType: Type?): [Type] {
        return []
    }

    access(all) fun resolveContractView(resourceType: Type?, viewType: Type): AnyStruct? {
        return nil
    }

    init() {
        self.VaultStoragePath = /storage/baitCoinVault
        self.ReceiverPublicPath = /public/baitCoinReceiver
        self.BalancePublicPath = /public/baitCoinVault
        self.MinterStoragePath = /storage/baitCoinMinter
        self.totalSupply = 0.0

        self.account.storage.save(<- create Minter(), to: self.MinterStoragePath)
    }
}
