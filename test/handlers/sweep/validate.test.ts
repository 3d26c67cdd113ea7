import { describe, expect, it } from 'vitest';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { createSoundKeys } from '../../../src/handlers/sweep/soundKeys.js';
import { validate } from '../../../src/handlers/sweep/validate.js';
import type { WalletRow } from '../../../src/journal/sweepPages.js';
import { createVault } from '../../../src/secrets.js';
import { ADDRESS, pair, rowOf, vault } from './rows.js';

const look = (row: WalletRow, shared: readonly string[] = []) => validate(row, { network: 'emulator', vault, shared: new Set(shared) });
const other = generateKeyPair();
/** Looks at rows as one process does, and says how many keys each look opened. */
function counting(): (row: WalletRow, kind: string) => number {
  const soundKeys = createSoundKeys();
  return (row, kind) => {
    let opened = 0;
    const counted = { keyIds: vault.keyIds, open: (sealed: string, publicKey: string) => (opened++, vault.open(sealed, publicKey)) };
    expect(validate(row, { network: 'emulator', vault: counted, soundKeys, shared: new Set() })).toMatchObject({ kind });
    return opened;
  };
}
const EMPTY = { address: null, privateKey: null, publicKey: null } as const;

describe('a row of public.wallet', () => {
  it('that adds up is plausible, of an account of ours or of one that was there before', () => {
    expect(look(rowOf())).toEqual({ kind: 'plausible', address: ADDRESS, publicKey: pair.publicKey });
    expect(look(rowOf({ accountId: null, asRecorded: false }))).toEqual({ kind: 'plausible', address: ADDRESS, publicKey: pair.publicKey });
  });

  it('without anything in it waits', () => {
    expect(look(rowOf({ ...EMPTY, accountId: null, asRecorded: false }))).toEqual({ kind: 'waiting' });
    expect(look(rowOf({ ...EMPTY, hasRow: false, accountId: null, asRecorded: false }))).toEqual({ kind: 'waiting' });
  });

  it.each(['held', 'orphaned'])('of a user who is %s is left alone, whatever it says', (state) => {
    expect(look(rowOf({ state, address: 'nonsense' }))).toEqual({ kind: 'left-alone' });
  });

  it('that refused an account stays corrupted, with its reason', () => {
    expect(look(rowOf({ ...EMPTY, accountId: null, asRecorded: false, state: 'corrupted', reason: 'a constraint' }))).toMatchObject({ kind: 'corrupted', reason: 'a constraint' });
  });

  it.each<[string, Partial<WalletRow>, RegExp]>([
    ['without an address', { address: null }, /key without an address/],
    ['without a private key', { privateKey: null }, /without a private key/],
    ['without a public key', { publicKey: null }, /without a public key/],
    ['with a malformed address', { address: '0xf8d6e0586b0a20c' }, /not 0x and 16/],
    ['with an address in upper case', { address: ADDRESS.toUpperCase().replace('X', 'x') }, /lower-case/],
    ['with an address of another network', { address: '0x1654653399040a61' }, /none of emulator/],
    ['with a malformed public key', { publicKey: 'ff' }, /64 bytes/],
    ['that differs from the account it was given', { asRecorded: false }, /differs from the account/],
    ["with another account's address", { isTaken: true }, /another account/],
    ['with a key that does not open', { privateKey: `${vault.seal(pair.privateKey, pair.publicKey).slice(0, -4)}AAA=` }, /does not open/],
    ['with a key in the clear', { privateKey: pair.privateKey }, /does not open: not an encrypted key/],
    ["with a key that is bound to a public key that isn't its own", { privateKey: vault.seal(other.privateKey, pair.publicKey) }, /does not belong/],
  ])('%s is corrupted, with why', (_, changes, reason) => {
    expect(look(rowOf(changes))).toMatchObject({ kind: 'corrupted', reason: expect.stringMatching(reason) as string, solution: expect.stringMatching(/./) as string });
  });

  it('with a key under a master key that is not held is not corrupted: nothing is known of it', () => {
    const elsewhere = createVault(Buffer.alloc(32, 2));
    const privateKey = elsewhere.seal(pair.privateKey, pair.publicKey);
    expect(look(rowOf({ privateKey }))).toEqual({ kind: 'not-ours-to-open', masterKey: elsewhere.keyId });
    expect(look(rowOf({ privateKey, state: 'corrupted', reason: 'marked before' }))).toMatchObject({ kind: 'not-ours-to-open' });
    // What the row shows of itself is looked at first; and a text that is no ciphertext names no master key.
    expect(look(rowOf({ privateKey, asRecorded: false }))).toMatchObject({ kind: 'corrupted' });
    expect(look(rowOf({ privateKey: `v1:${elsewhere.keyId}:xx:yy` }))).toMatchObject({ kind: 'corrupted', reason: expect.stringMatching(/does not open/) as string });
  });

  it('with an address that another user has too is corrupted, unless the journal says whose it is', () => {
    const shared = [ADDRESS.slice(2)];
    expect(look(rowOf({ accountId: null, asRecorded: false }), shared)).toMatchObject({ kind: 'corrupted', reason: 'another user has the same address' });
    expect(look(rowOf(), shared)).toMatchObject({ kind: 'plausible' });
  });

  it('has its key opened once, and again where its text or its public key has changed', () => {
    const openedFor = counting();
    const row = rowOf();
    expect(openedFor(row, 'plausible')).toBe(1);
    expect(openedFor(row, 'plausible')).toBe(0);
    expect(openedFor({ ...row, publicKey: other.publicKey }, 'corrupted')).toBe(1);
    expect(openedFor({ ...row, privateKey: vault.seal(other.privateKey, pair.publicKey) }, 'corrupted')).toBe(1);
    expect(openedFor(row, 'plausible')).toBe(0);
    expect(openedFor(rowOf(), 'plausible')).toBe(1);
    // Known or not, what else does not add up is found.
    expect(openedFor({ ...row, asRecorded: false }, 'corrupted')).toBe(0);
  });

  it('that is corrupted has its key opened each time: only what was found sound is remembered', () => {
    const openedFor = counting();
    const row = rowOf({ privateKey: vault.seal(other.privateKey, pair.publicKey) });
    for (let i = 0; i < 2; i++) expect(openedFor(row, 'corrupted')).toBe(1);
  });

  it('never shows its private key in a reason', () => {
    for (const privateKey of [pair.privateKey, vault.seal(other.privateKey, pair.publicKey), 'v1:00000000:xx:yy']) {
      const text = JSON.stringify(look(rowOf({ privateKey })));
      expect(text).not.toContain(pair.privateKey);
      expect(text).not.toContain(other.privateKey);
    }
  });
});
