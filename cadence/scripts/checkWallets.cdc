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
access(all) fun hasKey(_ account: auth(Keys) &Account, _ publicKey: String): Bool {
    var i = 0
    while true {
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

access(all) fun check(_ address: Address, _ publicKey: String): Wallet {
    let account = getAuthAccount<auth(BorrowValue, Keys) &Account>(address)

    // The stored type is looked at before anything is borrowed: a value of a contract that its owner has removed fails to load,
    // and would fail this script for all the other addresses.
    let flowType = account.storage.type(at: /storage/flowTokenVault)
    var flowBalance = 0.0
    var flowReceiver = false
    if flowType == Type<@FlowToken.Vault>() {
        let own = account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!
        flowBalance = own.balance
        if let published = account.capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver) {
            flowReceiver = published.getType() == Type<@FlowToken.Vault>() && published.uuid == own.uuid
        }
    }

    var vault = false
    var receiver = false
    var balance = false
    if account.storage.type(at: /storage/baitCoinVault) == Type<@BaitCoin.Vault>() {
        vault = true
        let own = account.storage.borrow<&BaitCoin.Vault>(from: /storage/baitCoinVault)!
        if let published = account.capabilities.borrow<&{FungibleToken.Receiver}>(/public/baitCoinReceiver) {
            receiver = published.uuid == own.uuid
        }
        if let published = account.capabilities.borrow<&{FungibleToken.Balance}>(/public/baitCoinVault) {
            balance = published.uuid == own.uuid
        }
    }

    return Wallet(
        exists: flowType != nil || account.keys.get(keyIndex: 0) != nil,
        keyPresent: hasKey(account, publicKey),
        flowBalance: flowBalance,
        flowReceiver: flowReceiver,
        vault: vault,
        receiver: receiver,
        balance: balance
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
