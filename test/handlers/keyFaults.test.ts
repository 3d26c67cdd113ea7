import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generateKeyPair } from '../../src/flow/keys.js';
import { chainFaultOf, compareKey, questionOf } from '../../src/handlers/keyFaults.js';
import type { StoredKey } from '../../src/journal/storedKeys.js';
import { createVault } from '../../src/secrets.js';

const vault = createVault(randomBytes(32));
const pair = generateKeyPair();
const other = generateKeyPair();
const sealed = vault.seal(pair.privateKey, pair.publicKey);
const own = { address: '0x179b6b1cb6755e31', privateKey: sealed, publicKey: pair.publicKey };
const key: StoredKey = { ...own, accountId: 1, authId: null, wholeFrom: 10, copy: own, isCopyOnly: false };
const kinds = (changed: Partial<StoredKey>): string[] => compareKey({ ...key, ...changed }, vault).faults.map((each) => each.fault);

describe('a stored key and its copy', () => {
  it.each<[string, Partial<StoredKey>, boolean, string[]]>([
    ['both as they were made', {}, true, []],
    ['no row in public.wallet', { copy: null }, true, []],
    ['an emptied row', { copy: { address: null, privateKey: null, publicKey: null } }, true, []],
    ['a copy sealed anew', { copy: { ...own, privateKey: vault.seal(pair.privateKey, pair.publicKey) } }, true, []],
    ["another's ciphertext in both", { privateKey: vault.seal(other.privateKey, other.publicKey), copy: { ...own, privateKey: vault.seal(other.privateKey, other.publicKey) } }, false, ['not-opening', 'copy-differs']],
    ['bound to a public key that is not its own', { privateKey: vault.seal(other.privateKey, pair.publicKey), copy: null }, false, ['other-public-key']],
    ['of another master key', { privateKey: createVault(randomBytes(32)).seal(pair.privateKey, pair.publicKey), copy: null }, false, ['not-opening']],
    ['a copy of another key', { copy: { ...own, privateKey: vault.seal(other.privateKey, pair.publicKey) } }, true, ['copy-differs']],
    ['a copy with another public key', { copy: { ...own, publicKey: other.publicKey } }, true, ['copy-differs']],
    ['a copy with another address', { copy: { ...own, address: '0x01cf0e2f2f715450' } }, true, ['copy-differs']],
    ['a copy without the private key', { copy: { ...own, privateKey: null } }, true, ['copy-differs']],
    ['plain text', { privateKey: pair.privateKey, copy: null }, false, ['not-opening']],
    ['no public key', { accountId: null, publicKey: null, copy: null }, false, ['not-opening']],
    ['no private key', { accountId: null, privateKey: null, copy: null }, false, ['not-opening']],
  ])('%s', (_, changed, isSound, faults) => {
    expect(compareKey({ ...key, ...changed }, vault).isSound).toBe(isSound);
    expect(kinds(changed)).toEqual(faults);
  });

  it('that does not open is mended by the copy where that opens', () => {
    const [fault] = compareKey({ ...key, privateKey: 'v1:broken' }, vault).faults;
    expect(fault).toMatchObject({ fault: 'not-opening', mend: expect.stringContaining('the copy in public.wallet opens') as string });
  });

  it('no fault says a key', () => {
    const said = JSON.stringify([compareKey({ ...key, privateKey: pair.privateKey, copy: { ...own, privateKey: other.privateKey } }, vault), compareKey({ ...key, copy: { ...own, privateKey: vault.seal(other.privateKey, pair.publicKey) } }, vault)]);
    expect(said).not.toContain(pair.privateKey);
    expect(said).not.toContain(other.privateKey);
  });
});

describe('the chain', () => {
  it.each<[string, Partial<StoredKey>, object | null]>([
    ['is asked about address and public key', {}, { address: own.address, publicKey: pair.publicKey }],
    ['is not asked about an account without an address', { address: null }, null],
    ['is not asked twice about a copy', { isCopyOnly: true }, null],
    ['is not asked about what an adoption has kept', { isKept: true }, null],
    ['has no account at what is no address', { address: 'nonsense' }, { fault: 'not-on-chain' }],
    ['has no account at an address of another network', { address: '0x0000000000000001' }, { fault: 'not-on-chain' }],
    ['has no account for a wallet without an address', { accountId: null, address: null }, { fault: 'not-on-chain' }],
  ])('%s', (_, changed, question) => {
    const asked = questionOf({ ...key, ...changed }, 'emulator');
    if (question === null) expect(asked).toBe(null);
    else expect(asked).toMatchObject(question);
  });

  it.each([
    [10, true, true, undefined],
    [10, true, false, 'key-not-present'],
    [10, false, false, 'not-on-chain'],
    // Behind: what it does not show yet says nothing; what it shows is there.
    [9, false, false, 'not-compared'],
    [9, true, true, undefined],
  ])('at block %i, account %s, key %s: %s', (height, exists, keyPresent, fault) => {
    expect(chainFaultOf(key, height, { exists, keyPresent })?.fault).toBe(fault);
  });
});
