import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_P256_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from 'hpke';

/** Which curve a receiver's key is of; it chooses the suite. */
export type KeyForm = 'X25519' | 'P-256';

/** A suite of RFC 9180, as an envelope names it. */
export interface Suite {
  readonly name: string;
  readonly cipher: CipherSuite;
}

/** Of the RFC's list those two whose keys openssl, browsers and hardware make; both encrypt with AES-256-GCM. */
export const SUITES: Readonly<Record<KeyForm, Suite>> = {
  X25519: { name: 'DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM', cipher: new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM) },
  'P-256': { name: 'DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM', cipher: new CipherSuite(KEM_DHKEM_P256_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_256_GCM) },
};
