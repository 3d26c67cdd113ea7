import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openIndependently } from '../support/independentHpke.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { openEnvelope, sealEnvelope, type Envelope } from '../../src/handover/envelope.js';
import { SUITES, type KeyForm } from '../../src/handover/hpke.js';
import { readReceiverKey, readReceiverPrivateKey } from '../../src/handover/receiverKey.js';
import { VECTORS } from './vectors.js';

const pairs: Readonly<Record<KeyForm, { privateKey: KeyObject; publicKey: KeyObject }>> = { X25519: generateKeyPairSync('x25519'), 'P-256': generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) };
const publicPem = (form: KeyForm): string => pairs[form].publicKey.export({ format: 'pem', type: 'spki' }).toString();
const privatePem = (form: KeyForm): string => pairs[form].privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const FORMS: KeyForm[] = ['X25519', 'P-256'];
const KEY = { user: '5b0c7d1e-1111-4222-8333-944445555666', address: '0x179b6b1cb6755e31', ...generateKeyPair() };
const seal = (form: KeyForm): Promise<Envelope> => sealEnvelope(KEY, readReceiverKey(publicPem(form), '--to'));
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe.each(VECTORS)("RFC 9180's test vector of $form", (vector) => {
  it('is opened by the suite that envelopes use', async () => {
    const { cipher } = SUITES[vector.form];
    const key = await cipher.DeserializePrivateKey(Uint8Array.from(bytes(vector.privateKey)), true);
    const opened = await cipher.Open(key, bytes(vector.enc), bytes(vector.ciphertext), { info: bytes(vector.info), aad: bytes(vector.aad) });
    expect(Buffer.from(opened).toString('hex')).toBe(vector.plaintext);
  });

  it('is opened by the independent reader too', () => {
    const point = bytes(vector.publicKey);
    const jwk = vector.form === 'X25519' ? { kty: 'OKP', crv: 'X25519', x: point.toString('base64url') } : { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
    const privateKey = createPrivateKey({ format: 'jwk', key: { ...jwk, d: bytes(vector.privateKey).toString('base64url') } });
    const opened = openIndependently({ privateKey, enc: bytes(vector.enc), ciphertext: bytes(vector.ciphertext), info: bytes(vector.info), aad: bytes(vector.aad) });
    expect(opened.toString('hex')).toBe(vector.plaintext);
  });
});

describe.each(FORMS)('an envelope to a key of %s', (form) => {
  it('opens to the key that was sealed, and is another one each time', async () => {
    const [first, second] = [await seal(form), await seal(form)];
    expect(second.ciphertext).not.toBe(first.ciphertext);
    expect(await openEnvelope(JSON.stringify(first), readReceiverPrivateKey(privatePem(form), '--key'), 'FILE')).toEqual(KEY);
    expect(JSON.stringify(first)).not.toContain(KEY.privateKey);
  });

  it('is opened by another implementation, from what docs/operations.md says of it', async () => {
    const envelope = await seal(form);
    const info = `flow-wallet-sync key export v1\n${envelope.user}\n${envelope.address}\n${envelope.public_key}`;
    const opened = openIndependently({ privateKey: pairs[form].privateKey, enc: Buffer.from(envelope.enc, 'base64'), ciphertext: Buffer.from(envelope.ciphertext, 'base64'), info: Buffer.from(info) });
    expect(opened.toString('hex')).toBe(KEY.privateKey);
  });

  it.each(['user', 'address', 'public_key', 'enc', 'ciphertext'] as const)('does not open where its %s was changed', async (field) => {
    const other = await sealEnvelope({ user: KEY.user.replace('5b', '6b'), address: '0x01cf0e2f2f715450', ...generateKeyPair() }, readReceiverKey(publicPem(form), '--to'));
    const changed = JSON.stringify({ ...(await seal(form)), [field]: other[field] });
    await expect(openEnvelope(changed, readReceiverPrivateKey(privatePem(form), '--key'), 'FILE')).rejects.toMatchObject({ kind: 'data', where: 'FILE', message: expect.stringContaining('does not open') as string });
  });

  it("does not open with another's key, and says whose it is", async () => {
    const stranger = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    await expect(openEnvelope(JSON.stringify(await seal(form)), readReceiverPrivateKey(stranger, '--key'), 'FILE')).rejects.toMatchObject({ kind: 'data', message: expect.stringContaining('is encrypted to the key') as string });
  });
});

it.each(['', 'x', '{}', '[]', 'null', '{"format":"flow-wallet-sync key export","version":2}'])('what is no envelope is refused with `data`: %j', async (text) => {
  await expect(openEnvelope(text, readReceiverPrivateKey(privatePem('X25519'), '--key'), 'FILE')).rejects.toMatchObject({ kind: 'data', message: expect.stringContaining('no envelope') as string });
});

it('nothing is encrypted to a point that no secret comes from', async () => {
  await expect(sealEnvelope(KEY, readReceiverKey('00'.repeat(32), '--to'))).rejects.toMatchObject({ kind: 'usage', where: '--to' });
});
