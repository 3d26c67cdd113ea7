import { createDecipheriv, createHmac, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';

const HASH_BYTES = 32;
const I2OSP = (value: number, bytes: number): Buffer => Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');
const hmac = (key: Buffer, data: Buffer): Buffer => createHmac('sha256', key).update(data).digest();

/**
 * Opens what HPKE's base mode sealed (RFC 9180, sections 4, 5.1 and 5.2), written from the RFC with node:crypto alone, so that it shares
 * no code with what sealed it. HKDF-SHA256 and AES-256-GCM; the curve by the private key's. Throws where it does not open.
 */
export function openIndependently(parts: { privateKey: KeyObject; enc: Buffer; ciphertext: Buffer; info: Buffer; aad?: Buffer }): Buffer {
  const isX25519 = parts.privateKey.asymmetricKeyType === 'x25519';
  const kemId = I2OSP(isX25519 ? 0x0020 : 0x0010, 2);
  const kem = Buffer.concat([Buffer.from('KEM'), kemId]);
  const hpke = Buffer.concat([Buffer.from('HPKE'), kemId, I2OSP(0x0001, 2), I2OSP(0x0002, 2)]);
  const extract = (suite: Buffer, salt: Buffer, label: string, ikm: Buffer): Buffer => hmac(salt.length === 0 ? Buffer.alloc(HASH_BYTES) : salt, Buffer.concat([Buffer.from('HPKE-v1'), suite, Buffer.from(label), ikm]));
  const expand = (suite: Buffer, secret: Buffer, label: string, info: Buffer, bytes: number): Buffer =>
    // One block of HKDF-Expand: no length here is above the hash's.
    hmac(secret, Buffer.concat([I2OSP(bytes, 2), Buffer.from('HPKE-v1'), suite, Buffer.from(label), info, Buffer.from([1])])).subarray(0, bytes);
  const none = Buffer.alloc(0);

  const ephemeral = createPublicKey({ format: 'jwk', key: isX25519 ? { kty: 'OKP', crv: 'X25519', x: parts.enc.toString('base64url') } : { kty: 'EC', crv: 'P-256', x: parts.enc.subarray(1, 33).toString('base64url'), y: parts.enc.subarray(33).toString('base64url') } });
  const own = createPublicKey(parts.privateKey).export({ format: 'jwk' });
  const ownBytes = isX25519 ? Buffer.from(own.x!, 'base64url') : Buffer.concat([Buffer.from([4]), Buffer.from(own.x!, 'base64url'), Buffer.from(own.y!, 'base64url')]);
  const secret = expand(kem, extract(kem, none, 'eae_prk', diffieHellman({ privateKey: parts.privateKey, publicKey: ephemeral })), 'shared_secret', Buffer.concat([parts.enc, ownBytes]), HASH_BYTES);
  const context = Buffer.concat([Buffer.from([0]), extract(hpke, none, 'psk_id_hash', none), extract(hpke, none, 'info_hash', parts.info)]);
  const scheduled = extract(hpke, secret, 'secret', none);

  const decipher = createDecipheriv('aes-256-gcm', expand(hpke, scheduled, 'key', context, 32), expand(hpke, scheduled, 'base_nonce', context, 12));
  decipher.setAAD(parts.aad ?? none);
  decipher.setAuthTag(parts.ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(parts.ciphertext.subarray(0, -16)), decipher.final()]);
}
