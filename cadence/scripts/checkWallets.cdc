import "FungibleToken"
import "FlowToken"
import "BaitCoin"

/// What one address has of a whole wallet.
access(all) struct Wallet {
    /// There is an account: it has a FLOW vault, or a first key, even a revoked one.
    access(all) let exists: Bool
    /// The expected key is there, not revoked, with full weight.
    access(all) let keyPresent: Bool
    /// FLOW in the account's own vault.
    access(all) let flowBalance: UFix64
    /// The public FLOW receiver leads to that vault: what is sent raises flowBalance.
    access(all) let flowReceiver: Bool
    access(all) let vault: Bool
    access(all) let receiver: Bool
    access(all) let balance: Bool

    init(exists: Bool, keyPresent: Bool, flowBalance: UFix64, flowReceiver: Bool, vault: Bool, receiver: Bool, balance: Bool) {
        self.exists = exists
        self.keyPresent = keyPresent
        self.flowBalance = flowBalance
        self.flowReceiver = flowReceiver
        self.vault = vault
        self.receiver = receiver
        self.balance = balance
    }
}

access(all) struct Answer {
    /// The block that all of this was read at; the access node's answer does not say it.
    access(all) let height: UInt64
    access(all) let wallets: [Wallet]

    init(height: UInt64, wallets: [Wallet]) {
        self.height = height
        self.wallets = wallets
    }
}

/// By index until there is none: `keys.count` and `keys.forEach` fail where there is no account, `keys.get` gives nil.
/// Only the first 100: an owner can add any number, and 12,500 take an access node 5 s (measured), at the cost of all others.
access(all) fun hasKey(_ account: auth(Keys) &Account, _ publicKey: String): Bool {
    var i = 0
    while i < 100 {
        if let key = account.keys.get(keyIndex: i) {
            if !key.isRevoked && key.weight >= 1000.0 && String.encodeHex(key.publicKey.publicKey) == publicKey {
                return true
            }
            i = i + 1
        } else {
            break
        }
    }
    return false
}

/// The storage path that a published capability leads to. The target is not loaded: a value of a contract that its owner has
/// removed fails to load, and would fail this script for all the other addresses.
access(all) fun target(_ account: auth(GetStorageCapabilityController) &Account, _ published: Capability): StoragePath? {
    return account.capabilities.storage.getController(byCapabilityID: published.id)?.target()
}

access(all) fun check(_ address: Address, _ publicKey: String): Wallet {
    let account = getAuthAccount<auth(BorrowValue, Keys, GetStorageCapabilityController) &Account>(address)

    // For the same reason the stored type is looked at before anything is borrowed.
    let flowType = account.storage.type(at: /storage/flowTokenVault)
    let flowVault = flowType == Type<@FlowToken.Vault>()
    let vault = account.storage.type(at: /storage/baitCoinVault) == Type<@BaitCoin.Vault>()

    let flowReceiver = account.capabilities.get<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)
    let receiver = account.capabilities.get<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)
    let balance = account.capabilities.get<&{FungibleToken.Balance}>(/public/baitCoinVault)

    return Wallet(
        exists: flowType != nil || account.keys.get(keyIndex: 0) != nil,
        keyPresent: hasKey(account, publicKey),
        flowBalance: flowVault ? account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.balance : 0.0,
        flowReceiver: flowVault && target(account, flowReceiver) == /storage/flowTokenVault,
        vault: vault,
        receiver: vault && target(account, receiver) == /storage/baitCoinVault,
        balance: vault && target(account, balance) == /storage/baitCoinVault
    )
}

/// Looks at many addresses in one script; `publicKeys[i]` (64 bytes, lower-case hex) is the key expected at `addresses[i]`.
access(all) fun main(addresses: [Address], publicKeys: [String]): Answer {
    assert(addresses.length == publicKeys.length, message: "checkWallets: as many public keys as addresses are needed")

    let wallets: [Wallet] = []
    var i = 0
    while i < addresses.length {
        wallets.append(check(addresses[i], publicKeys[i]))
        i = i + 1
    }
    return Answer(height: getCurrentBlock().height, wallets: wallets)
}
