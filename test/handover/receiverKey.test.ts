import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readReceiverKey, readReceiverPrivateKey } from '../../src/handover/receiverKey.js';
import { faultOf } from '../support/faultOf.js';

const x25519 = generateKeyPairSync('x25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const spki = (pair: typeof x25519): string => pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
const spkiDer = (pair: typeof x25519): Buffer => pair.publicKey.export({ format: 'der', type: 'spki' });
const x = Buffer.from(x25519.publicKey.export({ format: 'jwk' }).x!, 'base64url');
const point = spkiDer(p256).subarray(-65);

describe('a public key', () => {
  it.each([
    ['PEM', spki(x25519), 'X25519', x],
    ['bytes in hex', x.toString('hex'), 'X25519', x],
    ['bytes in base64', x.toString('base64'), 'X25519', x],
    ['bytes in base64url', x.toString('base64url'), 'X25519', x],
    ['DER in base64', spkiDer(x25519).toString('base64'), 'X25519', x],
    ['PEM', spki(p256), 'P-256', point],
    ['bytes in hex', point.toString('hex'), 'P-256', point],
    ['bytes in base64', point.toString('base64'), 'P-256', point],
    ['DER in base64, with line breaks', spkiDer(p256).toString('base64').replace(/.{40}/g, '$&\n'), 'P-256', point],
  ] as const)('is read from %s (%#)', (_, text, form, bytes) => {
    expect(readReceiverKey(text, '--to')).toMatchObject({ form, bytes });
  });

  it('has the same fingerprint in every form', () => {
    expect(new Set([spki(x25519), x.toString('hex'), x.toString('base64')].map((text) => readReceiverKey(text, '--to').fingerprint)).size).toBe(1);
  });

  it.each([
    ['nothing', ''],
    ['words', 'my key'],
    ['31 bytes', x.subarray(1).toString('hex')],
    ['a point off the curve', `04${'01'.repeat(64)}`],
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'pem', type: 'spki' }).toString()],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'pem', type: 'spki' }).toString()],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'],
  ])('is not read from %s: usage, and what would do', (_, text) => {
    expect(faultOf(() => readReceiverKey(text, '--to'))).toMatchObject({ kind: 'usage', where: '--to', mend: expect.stringContaining('public key of X25519 or P-256') as string });
  });
});

describe('a private key given by mistake is refused and never repeated', () => {
  const jwk = x25519.privateKey.export({ format: 'jwk' });
  it.each([
    ['PKCS #8 PEM of X25519', x25519.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()],
    ['PKCS #8 PEM of P-256', p256.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()],
    ['SEC 1 PEM', p256.privateKey.export({ format: 'pem', type: 'sec1' }).toString()],
    ['PEM with its public key before it', `${spki(p256)}${p256.privateKey.export({ format: 'pem', type: 'sec1' }).toString()}`],
    ['PKCS #8 DER in base64', x25519.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')],
    ['PKCS #8 DER in hex', p256.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex')],
    ['SEC 1 DER in base64', p256.privateKey.export({ format: 'der', type: 'sec1' }).toString('base64')],
    ['JWK', JSON.stringify(jwk)],
    ['an encrypted PEM', x25519.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()],
  ])('%s', (_, text) => {
    const error = faultOf(() => readReceiverKey(text, '--to'));
    expect(error).toMatchObject({ kind: 'usage', message: expect.stringContaining('is a private key') as string });
    const said = JSON.stringify([error.explain(), error.message, error.stack, error.cause]);
    for (const line of text.split('\n').filter((part) => part.length > 20 && !part.startsWith('-----'))) expect(said).not.toContain(line);
    expect(said).not.toContain(jwk.d);
  });
});

describe("a receiver's private key", () => {
  it.each([
    ['PKCS #8 of X25519', x25519.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), spki(x25519)],
    ['PKCS #8 of P-256', p256.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), spki(p256)],
    ['SEC 1', p256.privateKey.export({ format: 'pem', type: 'sec1' }).toString(), spki(p256)],
  ])('is read from %s, and knows its public key', (_, text, publicPem) => {
    const key = readReceiverPrivateKey(text, '--key');
    expect(key.bytes.length).toBe(32);
    expect(key.publicKey.fingerprint).toBe(readReceiverKey(publicPem, '--to').fingerprint);
  });

  it.each([
    ['a public key', spki(x25519)],
    ['nothing', ''],
    ['bare bytes', '11'.repeat(32)],
    ['an encrypted one', x25519.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()],
  ])('is not read from %s', (_, text) => {
    const error = faultOf(() => readReceiverPrivateKey(text, '--key'));
    expect(error).toMatchObject({ kind: 'usage', where: '--key' });
    expect(error.mend).toMatch(/openssl/);
  });
});
