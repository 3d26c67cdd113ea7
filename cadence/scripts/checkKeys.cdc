/// A byte for each address, in hex, the sum of
/// 1: there is an account (it has a FLOW vault, or a first key, even a revoked one);
/// 2: it has the public key;
/// 4: that key is not revoked, has full weight, and is ECDSA_P256 with SHA3_256: it signs alone, as this service signs.
/// `publicKeys[i]` (64 bytes, lower-case hex) is the key expected at `addresses[i]`. Nothing stored is loaded, so no account can make it
/// fail. The algorithms are compared by their raw values: those of an account's key are equal to no case of their enum. Only the first 100 keys: an owner can add any number.
access(all) fun main(addresses: [Address], publicKeys: [String]): String {
    assert(addresses.length == publicKeys.length, message: "checkKeys: as many public keys as addresses are needed")

    let flags: [UInt8] = []
    var i = 0
    while i < addresses.length {
        let account = getAuthAccount<auth(Storage, Keys) &Account>(addresses[i])
        var found: UInt8 = 0
        if account.storage.type(at: /storage/flowTokenVault) != nil || account.keys.get(keyIndex: 0) != nil {
            found = 1
        }
        var isThere: UInt8 = 0
        var signs: UInt8 = 0
        var index = 0
        while index < 100 && signs == 0 {
            if let key = account.keys.get(keyIndex: index) {
                if String.encodeHex(key.publicKey.publicKey) == publicKeys[i] {
                    isThere = 2
                    if !key.isRevoked && key.weight >= 1000.0 && key.publicKey.signatureAlgorithm.rawValue == SignatureAlgorithm.ECDSA_P256.rawValue && key.hashAlgorithm.rawValue == HashAlgorithm.SHA3_256.rawValue {
                        signs = 4
                    }
                }
                index = index + 1
            } else {
                break
            }
        }
        flags.append(found + isThere + signs)
        i = i + 1
    }
    return String.encodeHex(flags)
}
