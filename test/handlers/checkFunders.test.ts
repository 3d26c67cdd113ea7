import { expect, it } from 'vitest';
import { generateKeyPair } from '../../src/flow/keys.js';
import { createSigner } from '../../src/flow/sign.js';
import { faultOfKey, lowWaterMark } from '../../src/handlers/checkFunders.js';

const { privateKey, publicKey } = generateKeyPair();
const funder = { name: 'funder-1', address: '0x01', keyIndexes: [0], signer: createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
const key = { index: 0, publicKey, sequenceNumber: 0, weight: 1_000, revoked: false, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' };

it.each([
  [null, {}],
  [/another one/, { publicKey: generateKeyPair().publicKey }],
  [/revoked/, { revoked: true }],
  [/of weight 999/, { weight: 999 }],
  [/of ECDSA_P256 with SHA2_256, not ECDSA_P256 with SHA3_256/, { hashAlgorithm: 'SHA2_256' }],
  [/of ECDSA_secp256k1 with SHA3_256, not/, { signatureAlgorithm: 'ECDSA_secp256k1' }],
])('a funder\'s key on chain is at fault (%s) where it is %j', (fault, changes) => {
  const found = faultOfKey(funder, { ...key, ...changes });
  if (fault === null) expect(found).toBeNull();
  else expect(found).toMatch(fault);
});

it('a funder leaves the rotation while two full batches fit above its floor, as the journal reserves them', () => {
  const batches = 2n * 25n * 10_100_000n;
  expect(lowWaterMark({ FLOW_FUNDING_AMOUNT: 10_000_000n, FUNDER_FLOOR: 0n })).toBe(batches + 2n * 1_000_000n);
  expect(lowWaterMark({ FLOW_FUNDING_AMOUNT: 10_000_000n, FUNDER_FLOOR: 5n })).toBe(5n + batches + 2n * 41_000_000n);
});
