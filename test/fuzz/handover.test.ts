import { createECDH, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { openEnvelope, sealEnvelope } from '../../src/handover/envelope.js';
import { readReceiverKey, readReceiverPrivateKey } from '../../src/handover/receiverKey.js';
import { signatureFromDer } from '../../src/kms/derSignature.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, likeOneOf, toJson } from '../support/hostile.js';

const pem = (key: { export(options: { type: 'pkcs8'; format: 'pem' }): string | Buffer }): string => String(key.export({ type: 'pkcs8', format: 'pem' }));
const receiver = generateKeyPairSync('x25519');
const own = readReceiverPrivateKey(pem(receiver.privateKey), '--key');
const ecdh = createECDH('prime256v1');
ecdh.setPrivateKey('11'.repeat(32), 'hex');
const KEY = { user: '1b4e28ba-2fa1-4d2f-883f-0016d3cca427', address: '0x01cf0e2f2f715450', publicKey: ecdh.getPublicKey('hex').slice(2), privateKey: '11'.repeat(32) };

test('10,000 texts as an envelope: the key that was sealed, or refused without a word of it', async () => {
  const sealed = await sealEnvelope(KEY, own.publicKey);
  await fuzz(bytesLike(likeOneOf(sealed, { ...sealed, enc: sealed.ciphertext }, { ...sealed, user: KEY.user.replace('1', '2') }).map(toJson)), async (bytes) => {
    try {
      expect(await openEnvelope(bytes.toString('utf8'), own, 'the file')).toEqual(KEY);
    } catch (thrown) {
      if (thrown instanceof AppError) expect(thrown.explain()).not.toContain(KEY.privateKey);
      throw thrown;
    }
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 texts as a receiver\'s key, public or private: a key, or refused without the text', async () => {
  const secret = pem(receiver.privateKey);
  const texts = fc.constantFrom(secret, String(receiver.publicKey.export({ type: 'spki', format: 'pem' })), own.publicKey.bytes.toString('base64'), ecdh.getPublicKey('hex'), KEY.privateKey);
  await fuzz(fc.tuple(bytesLike(texts), fc.boolean()), ([bytes, isPrivate]) => {
    const text = bytes.toString('utf8');
    const said = (): string => {
      try {
        const key = isPrivate ? readReceiverPrivateKey(text, '--key').publicKey : readReceiverKey(text, '--to');
        return key.fingerprint;
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        return thrown.explain();
      }
    };
    // Its middle line is the key itself.
    expect(said()).not.toContain(secret.split('\n')[1]);
    return Promise.resolve();
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 answers of a key service as a signature: 64 bytes, or refused', async () => {
  const der = Buffer.from(`3044022011${'22'.repeat(31)}022033${'44'.repeat(31)}`, 'hex');
  const answers = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.tuple(fc.nat({ max: der.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => Uint8Array.from(der.with(at, byte))), fc.nat({ max: der.length }).map((end) => der.subarray(0, end)));
  await fuzz(answers, (answer) => {
    expect(signatureFromDer(answer)).toMatch(/^[0-9a-f]{128}$/);
    return Promise.resolve();
  });
}, FUZZ_TIMEOUT_MS);
