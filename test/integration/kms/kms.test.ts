import { createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startKms, type KmsStandIn } from '../../../dev/kms/kms.js';
import type { AppError } from '../../../src/errors.js';
import { createKmsSigner } from '../../../src/flow/kmsSigner.js';
import { verifySignature } from '../../../src/flow/keys.js';
import { digestOf } from '../../../src/flow/sign.js';
import { openKms, type Kms } from '../../../src/kms/kms.js';
import { generateKmsMasterKey } from '../../../src/masterKey/kmsMasterKey.js';
import { openMasterKey } from '../../../src/masterKey/openMasterKey.js';
import { parseMasterKeySource } from '../../../src/masterKey/source.js';

/** Everything through AWS's own client, against the stand-in of KMS's wire protocol. */

let standIn: KmsStandIn;
let saved: NodeJS.ProcessEnv;

beforeAll(async () => {
  standIn = await startKms();
  saved = { ...process.env };
  // AWS's client reads the process's own.
  Object.assign(process.env, standIn.env());
});
afterAll(async () => {
  process.env = saved;
  await standIn.stop();
});
afterEach(() => standIn.faults.clear());

const failed = (work: Promise<unknown>): Promise<AppError> => work.then(() => Promise.reject(new Error('nothing was thrown')), (error: AppError) => error);
const regional = (more: { callMs?: number; attemptMs?: number } = {}): Promise<Kms> => openKms({ region: 'eu-central-1', where: 'the test', ...more });

describe('a master key that KMS wraps', () => {
  it('is made and wrapped in KMS under an encryption context, is never shown, and opens as the same 32 bytes each time', async () => {
    const { arn } = standIn.makeKey('SYMMETRIC_DEFAULT');
    const setting = await generateKmsMasterKey(arn, '--kms');
    expect(setting).toMatch(/^aws-kms:arn:aws:kms:eu-central-1:111122223333:key\/[0-9a-f-]{36}:[A-Za-z0-9+/]+=*$/);
    const keys = await Promise.all([openMasterKey(parseMasterKeySource(setting)), openMasterKey(parseMasterKeySource(setting))]);
    expect(keys[0]).toHaveLength(32);
    expect(keys[0]!.equals(keys[1]!)).toBe(true);
    const context = { service: 'flow-wallet-sync', purpose: 'master key' };
    expect(standIn.calls.slice(-3)).toEqual([
      { action: 'GenerateDataKeyWithoutPlaintext', keyId: arn, context },
      { action: 'Decrypt', keyId: arn, context },
      { action: 'Decrypt', keyId: arn, context },
    ]);
  });

  it('opens without the ARN too, in the region that AWS\'s own chain finds', async () => {
    const { arn } = standIn.makeKey('SYMMETRIC_DEFAULT');
    const setting = await generateKmsMasterKey(arn, '--kms');
    const bare = parseMasterKeySource(`aws-kms:${setting.split(':').at(-1)!}`);
    expect(await failed(openMasterKey(bare))).toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY', mend: expect.stringContaining('AWS_REGION') as string });
    process.env['AWS_REGION'] = 'eu-central-1';
    try {
      expect((await openMasterKey(bare)).equals(await openMasterKey(parseMasterKeySource(setting)))).toBe(true);
    } finally {
      delete process.env['AWS_REGION'];
    }
  });

  it.each<[string, (setting: string) => string | Promise<string>, string, RegExp]>([
    ['of another KMS key', (setting) => setting.replace(/key\/[0-9a-f-]{36}/, standIn.makeKey('SYMMETRIC_DEFAULT').arn.split(':').at(-1)!), 'usage', /IncorrectKeyException/],
    ['that was changed', (setting) => setting.replace(/.{8}(=*)$/, 'AAAAAAAA$1'), 'usage', /InvalidCiphertextException/],
    ['whose key is gone', (setting) => setting.replace(/key\/[0-9a-f-]{36}/, 'key/00000000-0000-0000-0000-000000000000'), 'usage', /NotFoundException/],
    ['that may not be opened', (setting) => (standIn.faults.deny('Decrypt'), setting), 'usage', /AccessDeniedException.*not authorized to perform: kms:Decrypt/],
    ['whose key is being deleted', (setting) => (standIn.faults.answer('KMSInvalidStateException', 1), setting), 'usage', /KMSInvalidStateException/],
    ['whose key is disabled', (setting) => (standIn.faults.answer('DisabledException', 1), setting), 'usage', /DisabledException/],
    ['whose key can\'t be reached', (setting) => (standIn.faults.answer('KeyUnavailableException', 3), setting), 'network', /KeyUnavailableException/],
    ['while KMS is throttled', (setting) => (standIn.faults.answer('ThrottlingException', 3), setting), 'rate-limit', /ThrottlingException/],
  ])('%s: one error that names the setting, says what mends it, and repeats nothing of it', async (_, spoil, kind, says) => {
    const setting = await generateKmsMasterKey(standIn.makeKey('SYMMETRIC_DEFAULT').arn, '--kms');
    const spoiled = await spoil(setting);
    const error = await failed(openMasterKey(parseMasterKeySource(spoiled), 'WALLET_ENCRYPTION_KEY_NEXT'));
    expect(error).toMatchObject({ kind, where: 'WALLET_ENCRYPTION_KEY_NEXT', mend: expect.stringMatching(/./) as string });
    expect(error.message).toMatch(says);
    expect(inspect(error, { depth: 9 })).not.toContain(spoiled.split(':').at(-1)!.slice(0, 24));
  });

  it('wrapped for another purpose does not open: the context is bound to it', async () => {
    const { arn } = standIn.makeKey('SYMMETRIC_DEFAULT');
    const { wrapped } = await (await regional()).wrapNewKey(arn, { service: 'flow-wallet-sync', purpose: 'something else' });
    expect(await failed(openMasterKey(parseMasterKeySource(`aws-kms:${arn}:${wrapped.toString('base64')}`)))).toMatchObject({ kind: 'usage', message: expect.stringContaining('InvalidCiphertextException') as string });
  });

  it('of 16 bytes is refused', async () => {
    const { arn } = standIn.makeKey('SYMMETRIC_DEFAULT');
    const { wrap } = await import('../../../dev/kms/keys.js');
    const key = standIn.makeKey('SYMMETRIC_DEFAULT');
    const short = wrap(key, Buffer.alloc(16), { service: 'flow-wallet-sync', purpose: 'master key' });
    expect(arn).not.toBe(key.arn);
    expect(await failed(openMasterKey(parseMasterKeySource(`aws-kms:${key.arn}:${short.toString('base64')}`)))).toMatchObject({ kind: 'usage', message: expect.stringContaining('16 bytes') as string });
  });
});

describe('AWS KMS', () => {
  it('throttled or out of order once or twice is asked again, unseen', async () => {
    const { arn } = standIn.makeKey('SYMMETRIC_DEFAULT');
    standIn.faults.answer('ThrottlingException', 1);
    standIn.faults.answer('KMSInternalException', 1);
    await expect(generateKmsMasterKey(arn, '--kms')).resolves.toContain(arn);
  });

  it('that does not answer is given up in time, and an endpoint without anybody is no setting\'s fault', async () => {
    const { arn } = standIn.makeKey('ECC_NIST_P256');
    standIn.faults.delay(60_000);
    const begun = performance.now();
    expect(await failed((await regional({ callMs: 900, attemptMs: 300 })).publicKey(arn))).toMatchObject({ kind: 'network', isTimeout: true, where: 'the test' });
    expect(performance.now() - begun).toBeLessThan(5_000);
    await withEnv({ AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1' }, async () => expect(await failed((await regional()).publicKey(arn))).toMatchObject({ kind: 'network', message: expect.stringContaining('ECONNREFUSED') as string }));
  });

  it('whose credentials are sought where nobody answers is given up in time too', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    const { port } = silent.address() as AddressInfo;
    try {
      await withEnv({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/` }, async () => {
        const begun = performance.now();
        expect(await failed((await regional({ callMs: 500 })).publicKey('arn:aws:kms:eu-central-1:111122223333:key/1'))).toMatchObject({ isTimeout: true, where: 'the test' });
        expect(performance.now() - begun).toBeLessThan(5_000);
      });
      expect(sockets, 'asked').not.toEqual([]);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  it('is not asked over a wire without encryption: the key would be in the answer', async () => {
    await withEnv({ AWS_ENDPOINT_URL_KMS: 'http://kms.example.com' }, async () => expect(await failed((await regional()).publicKey('arn:aws:kms:eu-central-1:111122223333:key/1'))).toMatchObject({ kind: 'usage', message: expect.stringContaining('not encrypted') as string }));
  });

  it('without credentials, or with wrong ones, says that it is they', async () => {
    const { arn } = standIn.makeKey('ECC_NIST_P256');
    for (const wrong of [{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }, { AWS_ACCESS_KEY_ID: 'AKIANOBODY' }, { AWS_SECRET_ACCESS_KEY: 'wrong' }]) {
      await withEnv(wrong, async () => expect(await failed((await regional()).publicKey(arn))).toMatchObject({ kind: 'usage', mend: expect.stringContaining('credentials') as string }));
    }
  });
});

describe('a funder\'s key in KMS', () => {
  const message = '00'.repeat(40);

  it.each([
    ['ECC_NIST_P256', 'ECDSA_P256', 'SHA3_256'],
    ['ECC_NIST_P256', 'ECDSA_P256', 'SHA2_256'],
    ['ECC_SECG_P256K1', 'ECDSA_secp256k1', 'SHA3_256'],
    ['ECC_SECG_P256K1', 'ECDSA_secp256k1', 'SHA2_256'],
  ] as const)('of %s signs for %s with %s, and the key never leaves KMS', async (spec, signatureAlgorithm, hashAlgorithm) => {
    const key = standIn.makeKey(spec);
    const signer = await createKmsSigner({ kms: await regional(), keyArn: key.arn, signatureAlgorithm, hashAlgorithm, where: 'funder-1' });
    expect(signer.publicKey).toBe(key.publicKey);
    for (const signature of await Promise.all(Array.from({ length: 6 }, () => signer.sign(message)))) {
      expect(verifySignature({ publicKey: key.publicKey, digest: digestOf(message, hashAlgorithm), signature, algorithm: signatureAlgorithm })).toBe(true);
    }
  });

  it('of another curve, or of no curve, is refused at the start', async () => {
    for (const [spec, says] of [['ECC_SECG_P256K1', /ECC_SECG_P256K1.*needs ECC_NIST_P256/], ['SYMMETRIC_DEFAULT', /UnsupportedOperationException/]] as const) {
      const { arn } = standIn.makeKey(spec);
      const error = await failed(createKmsSigner({ kms: await regional(), keyArn: arn, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', where: 'funder-1' }));
      expect(error.kind).toBe('usage');
      expect(error.message).toMatch(says);
    }
  });

  it('gives out no signature that is not its own', async () => {
    const signer = await createKmsSigner({ kms: await regional(), keyArn: standIn.makeKey('ECC_NIST_P256').arn, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', where: 'funder-1' });
    standIn.faults.lie(true);
    await expect(signer.sign(message)).rejects.toMatchObject({ kind: 'internal', message: expect.stringContaining('did not verify') as string });
  });
});

async function withEnv(changes: Readonly<Record<string, string | undefined>>, work: () => Promise<unknown>): Promise<void> {
  const before = Object.fromEntries(Object.keys(changes).map((name) => [name, process.env[name]]));
  const set = (values: Readonly<Record<string, string | undefined>>): void => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(changes);
  try {
    await work();
  } finally {
    set(before);
  }
}
