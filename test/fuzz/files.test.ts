import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { openEntries, OtherLayout } from '../../src/files/readEntries.js';
import { loadNetwork } from '../../src/flow/network.js';
import { readSmallFile } from '../../src/bounds/readSmallFile.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, likeOneOf, toJson } from '../support/hostile.js';

const folder = mkdtempSync(join(tmpdir(), 'wallet-sync-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'file');

const KEY = { type: 'file', location: 'funder.pkey', signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', index: 0 };
const FLOW_JSON = { contracts: { BaitCoin: { source: 'x', aliases: { testnet: '0x01cf0e2f2f715450' } }, Other: 'path.cdc' }, networks: {}, accounts: { 'funder-1': { address: '0x9a0766d93b6608b7', key: KEY } } };

test('10,000 texts as flow.json: read, or refused with every fault and no key', async () => {
  const secret = 'ab'.repeat(32);
  writeFileSync(join(folder, 'funder.pkey'), secret, { mode: 0o600 });
  await fuzz(fc.tuple(bytesLike(likeOneOf(FLOW_JSON, { ...FLOW_JSON, accounts: { 'funder-1': { address: '0x01', key: secret } } }).map(toJson)), fc.constantFrom(undefined, ['funder-1'], ['constructor'], ['__proto__'])), async ([bytes, names]) => {
    writeFileSync(path, bytes);
    try {
      await loadNetwork({ flowJsonPath: path, network: 'testnet', env: {}, ...(names === undefined ? {} : { fundingAccounts: names }) });
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(AppError);
      expect((thrown as AppError).explain()).not.toContain(secret);
      throw thrown;
    }
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 texts as a funder\'s key file: a signer, or refused without the text', async () => {
  const flowJson = join(folder, 'flow.json');
  writeFileSync(flowJson, toJson({ accounts: { 'funder-1': { address: '0x9a0766d93b6608b7', key: { ...KEY, location: 'file' } } } }));
  await fuzz(bytesLike(fc.constantFrom('ab'.repeat(32), `0x${'AB'.repeat(32)}\n`, '00'.repeat(32), 'ff'.repeat(32))), async (bytes) => {
    writeFileSync(path, bytes, { mode: 0o600 });
    rmSync(path);
    writeFileSync(path, bytes, { mode: 0o600 });
    await loadNetwork({ flowJsonPath: flowJson, network: 'testnet', env: {}, fundingAccounts: ['funder-1'] });
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 texts as flow-production.json: entries, or said to be of another layout', async () => {
  const entry = (id: string): string => `    "${id}": {"address":"0x01cf0e2f2f715450","key":{"type":"file","location":"accounts/pkeys/${id}.pkey"}}`;
  const whole = `{\n  "accounts": {\n${entry('1b4e28ba')},\n${entry('2b4e28ba')}\n  }\n}\n`;
  // Lines that end where the buffer (64 KiB) does, in all the ways near it.
  const aligned = fc.integer({ min: -12, max: 12 }).map((shift) => `{\n  "accounts": {\n    "a": "${'x'.repeat(65_536 - 30 + shift)}"\n  }\n}\n`);
  const texts = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(whole, whole.replace('  }\n}', '  },\n  "networks": {}\n}')) }, { weight: 1, arbitrary: likeOneOf({ accounts: { a: { address: '0x01' } } }).map((value) => JSON.stringify(value, null, 2) ?? '') });
  await fuzz(fc.oneof({ weight: 40, arbitrary: bytesLike(texts) }, { weight: 1, arbitrary: aligned.map((text) => Buffer.from(text)) }).map((bytes) => ({ bytes, toString: () => 'bytes' })), async ({ bytes }) => {
    writeFileSync(path, bytes);
    let reader;
    try {
      reader = await openEntries(path);
      while (reader !== null && (await reader.next())) expect(typeof reader.parse().name).toBe('string');
      await reader?.rest();
    } catch (thrown) {
      if (!(thrown instanceof OtherLayout)) throw thrown;
    } finally {
      await reader?.close();
    }
  });
}, FUZZ_TIMEOUT_MS);

test('a line without end, and a file without end, are read to their limit and no further', async () => {
  writeFileSync(path, `{\n  "accounts": {\n    "a": "${'x'.repeat(20_000_000)}`);
  const reader = await openEntries(path);
  await expect(reader?.next()).rejects.toThrow('a line has no end');
  expect(reader?.bytes.length).toBeLessThan(10_000_000);
  await reader?.close();
  expect(() => readSmallFile('/dev/zero', 1_000)).toThrow('it is no plain file');
  expect(() => readSmallFile(path, 1_000)).toThrow('longer than 1000 bytes');
  await expect(loadNetwork({ flowJsonPath: '/dev/zero', network: 'testnet', env: {} })).rejects.toThrow('flow.json cannot be read');
});
