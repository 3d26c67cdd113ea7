import { describe, expect, it } from 'vitest';
import { addressOf } from '../../../dev/simulatedChain/addresses.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { claimOf, judgeClaim, type ReadKey } from '../../../src/handlers/adopt/classify.js';
import { digestOf } from '../../../src/handlers/adopt/oldKeys.js';
import { readAddress, readPublicKey } from '../../../src/handlers/adopt/spelling.js';
import type { OldRow } from '../../../src/journal/adopted.js';

const pair = generateKeyPair();
const other = generateKeyPair();
const address = addressOf(5);
const key = { kind: 'key', shape: 'plaintext', ...pair } as const satisfies ReadKey;
const rowWith = (some: Partial<OldRow> = {}): OldRow => ({ id: '1', authId: 'u', address, publicKey: pair.publicKey, privateKey: pair.privateKey, boundTo: null, hasAccount: false, asRecorded: false, ...some });
const claim = (some: Partial<OldRow> = {}, read: ReadKey = key) => claimOf(rowWith(some), read, 'emulator');
const NONE = { shared: { addresses: new Set<string>(), publicKeys: new Set<string>(), keyDigests: new Set<string>() }, isContested: false };

describe('a row of an older service', () => {
  it('claims an address of this network with its own key, however both are spelled', () => {
    for (const spelled of [address, address.slice(2), address.toUpperCase().replace('0X', '0x'), ` ${address}\n`]) expect(claim({ address: spelled })).toEqual({ kind: 'claim', address, publicKey: pair.publicKey });
    for (const spelled of [null, `04${pair.publicKey}`, `0x${pair.publicKey}`, `0x04${pair.publicKey.toUpperCase()}`]) expect(claim({ publicKey: spelled })).toEqual({ kind: 'claim', address, publicKey: pair.publicKey });
  });

  it.each([
    ['waiting', { address: null, publicKey: null, privateKey: null }, { kind: 'none' }, false],
    ['no-key', { privateKey: null }, { kind: 'none' }, false],
    ['no-address', { address: null }, key, true],
    ['mismatch', { publicKey: other.publicKey }, key, true],
    ['mismatch', { publicKey: 'nonsense' }, key, false],
    ['other-network', { address: '0x1654653399040a61' }, key, true],
    ['other-network', { address: 'alice.flow' }, key, true],
    ['missing-on-chain', { address: '0x1234567890abcdef' }, key, true],
    ['encrypted', { hasAccount: true, asRecorded: true }, { kind: 'none' }, false],
    ['conflict', { hasAccount: true, asRecorded: false }, { kind: 'none' }, false],
    ['does-not-open', {}, { kind: 'fault', class: 'does-not-open', reason: 'x' }, false],
    ['other-master-key', {}, { kind: 'fault', class: 'other-master-key', reason: 'x' }, false],
  ] as const)('is %s', (name, some, read, isSealed) => {
    expect(claim(some, read as ReadKey)).toMatchObject({ kind: 'decided', class: name, isSealed });
  });

  it('is what the chain says of its claim, and of several users who claim the same each is shared', () => {
    const judge = (onChain: 'signs' | 'no account' | 'other keys' | 'cannot sign', others: Partial<typeof NONE> = {}, authId: string | null = 'u') => judgeClaim({ authId }, key, { address, publicKey: pair.publicKey }, onChain, { ...NONE, ...others }).class;
    expect(judge('signs')).toBe('plaintext');
    expect(judge('signs', {}, null)).toBe('no-user');
    expect(judge('no account', { isContested: true })).toBe('missing-on-chain');
    expect(judge('other keys')).toBe('mismatch');
    expect(judge('cannot sign')).toBe('mismatch');
    expect(judge('signs', { isContested: true })).toBe('shared');
    expect(judge('signs', { shared: { ...NONE.shared, addresses: new Set([address.slice(2)]) } })).toBe('shared');
    expect(judge('other keys', { shared: { ...NONE.shared, publicKeys: new Set([pair.publicKey]) } })).toBe('shared');
    expect(judge('signs', { shared: { ...NONE.shared, keyDigests: new Set([digestOf(pair.privateKey)]) } })).toBe('shared');
  });
});

describe('spelling', () => {
  it('a public key that itself begins with 04 keeps it', () => {
    const begins = `04${'a'.repeat(126)}`;
    expect(readPublicKey(begins)).toBe(begins);
    expect(readPublicKey(`04${begins}`)).toBe(begins);
    for (const none of ['', '04', 'a'.repeat(127), 'g'.repeat(128)]) expect(readPublicKey(none)).toBeNull();
  });

  it('an address of another network names it, and an invented one is of none', () => {
    expect(readAddress('0x1654653399040a61', 'testnet')).toEqual({ kind: 'of another', network: 'mainnet' });
    expect(readAddress('0xffffffffffffffff', 'testnet')).toEqual({ kind: 'of none' });
    expect(readAddress('0x', 'testnet')).toEqual({ kind: 'no address' });
    expect(readAddress('0x11111111111111111', 'testnet')).toEqual({ kind: 'no address' });
  });
});
