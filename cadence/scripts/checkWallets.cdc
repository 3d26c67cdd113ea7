import "FungibleToken"
import "FlowToken"
import "BaitCoin"

/// What was found. One text and one list for all addresses: a struct for each made the answer ten times as large (700 bytes a wallet).
access(all) struct Answer {
    /// The block that all of this was read at; the access node's answer does not say it.
    access(all) let height: UInt64
    /// A byte for each address, in hex, the sum of
    /// 1: there is an account (it has a FLOW vault, or a first key, even a revoked one);
    /// 2: the expected key is there, not revoked, with full weight;
    /// 4: the public FLOW receiver leads to the account's own FLOW vault, so that what is sent raises its balance;
    /// 8: it has a BaitCoin vault; 16 and 32: whose receiver and whose balance are published.
    access(all) let flags: String
    /// FLOW in each account's own vault.
    access(all) let balances: [UFix64]

    init(height: UInt64, flags: String, balances: [UFix64]) {
        self.height = height
        self.flags = flags
        self.balances = balances
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

/// Looks at many addresses in one script; `publicKeys[i]` (64 bytes, lower-case hex) is the key expected at `addresses[i]`.
access(all) fun main(addresses: [Address], publicKeys: [String]): Answer {
    assert(addresses.length == publicKeys.length, message: "checkWallets: as many public keys as addresses are needed")

    let flags: [UInt8] = []
    let balances: [UFix64] = []
    var i = 0
    while i < addresses.length {
        let account = getAuthAccount<auth(BorrowValue, Keys, GetStorageCapabilityController) &Account>(addresses[i])

        // The stored types are looked at before anything is borrowed: loading one of a contract that is gone would fail the script.
        let flowType = account.storage.type(at: /storage/flowTokenVault)
        let flowVault = flowType == Type<@FlowToken.Vault>()
        let vault = account.storage.type(at: /storage/baitCoinVault) == Type<@BaitCoin.Vault>()

        var found: UInt8 = 0
        if flowType != nil || account.keys.get(keyIndex: 0) != nil {
            found = found + 1
        }
        if hasKey(account, publicKeys[i]) {
            found = found + 2
        }
        if flowVault && target(account, account.capabilities.get<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)) == /storage/flowTokenVault {
            found = found + 4
        }
        if vault {
            found = found + 8
            if target(account, account.capabilities.get<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)) == /storage/baitCoinVault {
                found = found + 16
            }
            if target(account, account.capabilities.get<&{FungibleToken.Balance}>(/public/baitCoinVault)) == /storage/baitCoinVault {
                found = found + 32
            }
        }
        flags.append(found)
        balances.append(flowVault ? account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.balance : 0.0)
        i = i + 1
    }
    return Answer(height: getCurrentBlock().height, flags: String.encodeHex(flags), balances: balances)
}
