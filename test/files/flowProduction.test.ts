import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { toEntry } from '../../src/files/entry.js';
import { compareFlowProduction, mergeFlowProduction, type Corrupt } from '../../src/files/flowProduction.js';
import type { FileAccount, Merged } from '../../src/files/mergeEntries.js';
import { account, accountsUpTo, sourceOf } from './accounts.js';
import { modeOf, useFolder, whileReadOnly } from './folder.js';

const files = await vi.hoisted(async () => (await import('./crashingFiles.js')).createCrashingFiles());
vi.mock('node:fs/promises', async (original) => files.wrap(await original()));

const folder = useFolder();
const path = () => folder.in('flow-production.json');
const text = (): string => readFileSync(path(), 'utf8');
const json = (): { accounts: Record<string, unknown> } => JSON.parse(text()) as { accounts: Record<string, unknown> };
const entriesOf = (accounts: readonly FileAccount[]) => Object.fromEntries(accounts.map(({ authId, address }) => [authId, toEntry(authId, address)]));

let corrupt: string[] = [];
let setAside: string[] = [];
beforeEach(() => {
  files.reset();
  corrupt = [];
  setAside = [];
});
const onCorrupt = ({ reason, setAsideAs }: Corrupt): void => {
  corrupt.push(reason);
  setAside.push(setAsideAs);
};
const merge = (accounts: Iterable<FileAccount>, mayReplace = () => true): Promise<Merged | null> => mergeFlowProduction(path(), sourceOf(accounts), { onCorrupt, mayReplace });
const compare = (accounts: Iterable<FileAccount>): Promise<Merged> => compareFlowProduction(path(), sourceOf(accounts), { onCorrupt });

const [A, B, C] = [account(1), account(2), account(3)];

describe('an entry', () => {
  it('is what the Flow CLI reads', () => {
    expect(toEntry(A.authId, '0x179b6b1cb6755e31')).toEqual({
      address: '0x179b6b1cb6755e31',
      key: { type: 'file', location: `accounts/pkeys/${A.authId}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' },
    });
  });
});

describe('the configuration file', () => {
  it('that is not there lacks all, and none is made by looking', async () => {
    expect(await compare([A, B])).toEqual({ entries: 2, added: 2, changed: 0, gone: 0 });
    expect(existsSync(path())).toBe(false);
  });

  it('is not made for nobody', async () => {
    expect(await merge([])).toEqual({ entries: 0, added: 0, changed: 0, gone: 0 });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('is sorted by user, an entry a line, with a line end, for its owner alone', async () => {
    await merge([A, C]);
    await merge([A, B, C]);
    expect(modeOf(path())).toBe(0o600);
    const lines = [A, B, C].map(({ authId, address }) => `    "${authId}": ${JSON.stringify(toEntry(authId, address))}`);
    expect(text()).toBe(`{\n  "accounts": {\n${lines.join(',\n')}\n  }\n}\n`);
  });

  it.each([0, 1, 2, 259, 260, 261, 262, 1_000, 5_000])('of %i entries is what the journal says, whatever it held before', async (count) => {
    await merge([...accountsUpTo(count)].filter((_, index) => index % 3 !== 0));
    expect(await merge(accountsUpTo(count))).toMatchObject({ entries: count, added: Math.ceil(count / 3) });
    if (count > 0) expect(json()).toEqual({ accounts: entriesOf([...accountsUpTo(count)]) });
    expect(await compare(accountsUpTo(count))).toEqual({ entries: count, added: 0, changed: 0, gone: 0 });
  });

  it('is not written where nothing is new', async () => {
    await merge([A, B]);
    const before = statSync(path());
    expect(await merge([A, B])).toMatchObject({ entries: 2, added: 0 });
    expect(statSync(path())).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect(readdirSync(folder.path)).toEqual(['flow-production.json']);
  });

  it('does not take in an account that may not join yet', async () => {
    await mergeFlowProduction(path(), sourceOf([A, B], 10, ({ authId }) => authId !== B.authId), { onCorrupt, mayReplace: () => true });
    expect(json()).toEqual({ accounts: entriesOf([A]) });
  });

  it('keeps entries and keys that were made by hand, and entries of users who are gone', async () => {
    const byHand = {
      networks: { testnet: 'access.devnet.nodes.onflow.org:9000' },
      accounts: { 'my-admin': { address: 'f8d6e0586b0a20c7', key: 'AWS' }, odd: 'text', [B.authId]: { address: B.address, note: 'mine' }, ...entriesOf([C]) },
      deployments: [1, null, { deep: true }],
    };
    writeFileSync(path(), JSON.stringify(byHand));
    expect(await merge([A, B])).toEqual({ entries: 5, added: 1, changed: 0, gone: 1 });
    expect(json()).toEqual({ ...byHand, accounts: { ...byHand.accounts, ...entriesOf([A]) } });
    // From now on as a stream.
    const D = account(9);
    await merge([A, B, D]);
    expect(json()).toEqual({ ...byHand, accounts: { ...byHand.accounts, ...entriesOf([A, D]) } });
  });

  it('counts orphans as gone', async () => {
    await merge([A, B]);
    expect(await compare([A, { ...B, isOrphaned: true }])).toMatchObject({ entries: 2, added: 0, gone: 1 });
  });

  it('gets address and key of another account anew, and the entry keeps its other keys', async () => {
    await merge([A, B, C]);
    writeFileSync(path(), text().replace(B.address, '0x00000000000000ff').replace('"address":"0x00000000000000ff"', '"note":{"by":"hand"},"address":"0x00000000000000ff"'));
    expect(await merge([A, B, C])).toMatchObject({ entries: 3, added: 0, changed: 1 });
    expect(json()).toEqual({ accounts: { ...entriesOf([A, C]), [B.authId]: { note: { by: 'hand' }, ...toEntry(B.authId, B.address) } } });
  });

  it.each([
    ['indented', (content: unknown) => `${JSON.stringify(content, null, 2)}\n`],
    ['on one line', (content: unknown) => JSON.stringify(content)],
    ['with tabs', (content: unknown) => JSON.stringify(content, null, '\t')],
    ['with other line ends', (content: unknown) => JSON.stringify(content, null, 2).replaceAll('\n', '\r\n')],
  ])('in another layout is read, and rewritten once: %s', async (_, write) => {
    const content = { accounts: { ...entriesOf([C, A]), extra: { '}': '\n"' } }, networks: { x: 1 } };
    writeFileSync(path(), write(content));
    expect(await compare([A, C])).toEqual({ entries: 3, added: 0, changed: 0, gone: 0 });
    expect(json()).toEqual(content);
    expect(text().split('\n')).toHaveLength(9);
    const before = statSync(path()).ino;
    expect(await merge([A, C])).toMatchObject({ added: 0 });
    expect(statSync(path()).ino).toBe(before);
    expect(readFileSync(`${path()}.backup`, 'utf8')).toBe(write(content));
  });

  it.each([
    ['a line put in at the wrong place', (lines: string[]) => [...lines.slice(0, 2), lines[3]!, lines[2]!, ...lines.slice(4)]],
    ['a line that is there twice', (lines: string[]) => [...lines.slice(0, 3), lines[2]!, ...lines.slice(3)]],
    ['two entries on a line', (lines: string[]) => [...lines.slice(0, 2), lines[2]! + lines[3]!, ...lines.slice(4)]],
    ['an empty line', (lines: string[]) => [...lines.slice(0, 3), '', ...lines.slice(3)]],
    ['an empty line at its end', (lines: string[]) => [...lines, '']],
    ['a byte order mark before it', (lines: string[]) => [`\ufeff${lines[0]!}`, ...lines.slice(1)]],
    ['no line end', (lines: string[]) => lines.slice(0, -1)],
    ['accounts closed early and opened again', (lines: string[]) => [...lines.slice(0, 3), lines[3]!, lines[4]!, '  },', '  "accounts": {', ...lines.slice(2)]],
  ])('edited by hand keeps all that JSON says: %s', async (_, edit) => {
    await merge([A, B, C]);
    const edited = edit(text().split('\n')).join('\n');
    writeFileSync(path(), edited);
    await merge([A, B, C]);
    expect(corrupt).toEqual([]);
    expect(json()).toEqual({ accounts: entriesOf([A, B, C]) });
  });

  it('keeps whatever stands beside the accounts and in them, in any layout, and a stream changes none of it', async () => {
    // JSON cannot tell -0 from 0, and __proto__ is no name that a person gives.
    const name = fc.string({ maxLength: 12, unit: 'binary' }).filter((made) => made !== '__proto__' && made !== 'accounts');
    const value = fc.jsonValue({ maxDepth: 3 }).map((made) => JSON.parse(JSON.stringify(made).replaceAll('"__proto__"', '"p"')) as unknown);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value), fc.dictionary(name, value), fc.uniqueArray(fc.nat(50), { maxLength: 12 }), async (beside, accounts, indexes) => {
        writeFileSync(path(), JSON.stringify({ ...beside, accounts }));
        const wallets = indexes.sort((a, b) => a - b).map((index) => account(index));
        for (const end of [0, 1, wallets.length >> 1, wallets.length]) await merge(wallets.slice(0, end));
        expect(corrupt).toEqual([]);
        expect(json()).toEqual(JSON.parse(JSON.stringify({ ...beside, accounts: { ...accounts, ...entriesOf(wallets) } })));
      }),
      { numRuns: 20, seed: 20_261 },
    );
  }, 60_000);

  it('keeps an entry longer than any buffer', async () => {
    await merge([A, C]);
    const long = { address: B.address, note: 'ü'.repeat(200_000) };
    writeFileSync(path(), text().replace(/\n {4}"00000003/, `\n    "${B.authId}": ${JSON.stringify(long)},$&`));
    for (const end of [10, 20]) await merge([A, B, C, ...accountsUpTo(end)].filter((each, index, all) => all.findIndex((other) => other.authId === each.authId) === index).sort((a, b) => (a.authId < b.authId ? -1 : 1)));
    expect(json()).toEqual({ accounts: { ...entriesOf([...accountsUpTo(20)]), [B.authId]: long } });
    expect(corrupt).toEqual([]);
  });

  it('has its previous version as .backup, for its owner alone', async () => {
    await merge([A]);
    const before = text();
    chmodSync(path(), 0o644);
    await merge([A, B]);
    expect(readFileSync(`${path()}.backup`, 'utf8')).toBe(before);
    expect(modeOf(`${path()}.backup`)).toBe(0o600);
  });

  it('that cannot be written stays as it was', async () => {
    await merge([A]);
    await whileReadOnly(folder.path, async () => {
      await expect(merge([A, B])).rejects.toMatchObject({ code: 'EACCES' });
    });
    expect(json()).toEqual({ accounts: entriesOf([A]) });
  });

  it('that is a folder is an error, not a corrupt file', async () => {
    await expect(compareFlowProduction(folder.path, sourceOf([]), { onCorrupt })).rejects.toMatchObject({ code: 'EISDIR' });
    expect(existsSync(folder.path)).toBe(true);
  });

  it('that is a link is neither read nor written through it, and says so', async () => {
    const text = '{"accounts":{"a":1}}';
    writeFileSync(folder.in('elsewhere.json'), text, { mode: 0o644 });
    symlinkSync(folder.in('elsewhere.json'), path());
    await expect(merge([A])).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(compareFlowProduction(path(), sourceOf([A]), { onCorrupt })).rejects.toMatchObject({ code: 'ELOOP' });
    expect(readFileSync(folder.in('elsewhere.json'), 'utf8')).toBe(text);
    expect(modeOf(folder.in('elsewhere.json'))).toBe(0o644);
    expect(readdirSync(folder.path).sort()).toEqual(['elsewhere.json', 'flow-production.json']);
  });

  it('stays as it is where the right to write it is lost meanwhile', async () => {
    await merge([A]);
    expect(await merge([A, B], () => false)).toBeNull();
    expect(json()).toEqual({ accounts: entriesOf([A]) });
    expect(readdirSync(folder.path)).toEqual(['flow-production.json']);
  });

  it('that another changes while it is merged is merged again: nothing of it is lost', async () => {
    await merge([A]);
    let edits = 0;
    await merge([A, B], () => {
      edits += 1;
      if (edits === 1) writeFileSync(path(), text().replace('    "', '    "admin": {},\n    "'));
      return true;
    });
    expect(edits).toBe(2);
    expect(json()).toEqual({ accounts: { admin: {}, ...entriesOf([A, B]) } });
  });

  it('that another never stops changing is left to him, with an error', async () => {
    await merge([A]);
    let edits = 0;
    const never = merge([A, B], () => (writeFileSync(path(), text().replace('{', `{\n  "edit${edits++}": 1,`)), true));
    await expect(never).rejects.toMatchObject({ kind: 'data', where: path() });
    expect(json()).toMatchObject({ accounts: entriesOf([A]) });
  });
});

describe('at whichever call', () => {
  const old = () => merge(accountsUpTo(310));
  const renew = () => merge(accountsUpTo(320));
  const whole = [entriesOf([...accountsUpTo(310)]), entriesOf([...accountsUpTo(320)])];

  it('the disk is full or the process dies, the file is the old or the new one, whole, and the next merge brings the new one', async () => {
    await merge(accountsUpTo(300));
    await old();
    files.reset();
    await renew();
    const calls = files.calls();
    expect(calls).toBeGreaterThan(20);
    for (const stop of ['failFrom', 'crashFrom'] as const) {
      for (let call = 1; call <= calls; call += 1) {
        for (const name of readdirSync(folder.path)) rmSync(folder.in(name));
        files.reset();
        await merge(accountsUpTo(300));
        await old();
        files[stop](call);
        await renew().catch(() => undefined);
        const where = `${stop} ${files.names()[call - 1]}, call ${call}`;
        files.reset();
        expect(whole.map((each) => JSON.stringify(each)), where).toContain(JSON.stringify(json().accounts));
        if (stop === 'failFrom') expect(readdirSync(folder.path).toSorted(), where).toEqual(['flow-production.json', 'flow-production.json.backup']);
        expect(() => void JSON.parse(readFileSync(`${path()}.backup`, 'utf8')), where).not.toThrow();
        await renew();
        expect(json().accounts, where).toEqual(whole[1]);
        expect(corrupt, where).toEqual([]);
      }
    }
  }, 60_000);
});

describe('a corrupt configuration file', () => {
  const broken: [name: string, text: string, reason: RegExp][] = [
    ['empty', '', /^it is not JSON/],
    ['torn', '{"accounts": {"a": {"addr', /^it is not JSON/],
    ['torn in our layout', '{\n  "accounts": {\n    "a": {"addr', /^it is not JSON/],
    ['torn between two of our lines', '{\n  "accounts": {\n    "a": {"address": "0x1"},\n', /^it is not JSON/],
    ['a comma too many', '{\n  "accounts": {\n    "a": {"address": "0x1"},\n  }\n}\n', /^it is not JSON/],
    ['a comma too few', '{\n  "accounts": {\n    "a": 1\n    "b": 2\n  }\n}\n', /^it is not JSON/],
    ['a line of nonsense', '{\n  "accounts": {\n    "a": {"address": 0x1},\n    "b": 2\n  }\n}\n', /^it is not JSON/],
    ['something behind it', '{\n  "accounts": {\n    "a": 1\n  }\n}\n}\n', /^it is not JSON/],
    ['no JSON', 'accounts: {}', /^it is not JSON/],
    ['a list', '[]', /^it is not \{"accounts"/],
    ['null', 'null', /^it is not \{"accounts"/],
    ['without accounts', '{"networks": {}}', /^it is not \{"accounts"/],
    ['with a list of accounts', '{"accounts": []}', /^it is not \{"accounts"/],
  ];

  it.each(broken)('is set aside as it was, with the reason, and rebuilt: %s', async (_, content, reason) => {
    writeFileSync(path(), content);
    expect(await compare([A])).toEqual({ entries: 1, added: 1, changed: 0, gone: 0 });
    expect(corrupt).toEqual([expect.stringMatching(reason)]);
    expect(existsSync(path())).toBe(false);
    expect(readFileSync(`${path()}.corrupt`, 'utf8')).toBe(content);
    await merge([A]);
    expect(json()).toEqual({ accounts: entriesOf([A]) });
  });

  it('is set aside beside those that were before', async () => {
    for (const content of ['first', 'second', 'third']) {
      writeFileSync(path(), content);
      await merge([A]);
    }
    expect(setAside).toEqual([`${path()}.corrupt`, `${path()}.corrupt-2`, `${path()}.corrupt-3`]);
    expect(setAside.map((each) => readFileSync(each, 'utf8'))).toEqual(['first', 'second', 'third']);
  });

  it('leaves the backup where it is, also when the file is rebuilt', async () => {
    writeFileSync(`${path()}.backup`, '{"accounts":{"good":1}}');
    writeFileSync(path(), '{"accounts":');
    await merge([A]);
    expect(readFileSync(`${path()}.backup`, 'utf8')).toBe('{"accounts":{"good":1}}');
    expect(json()).toEqual({ accounts: entriesOf([A]) });
  });

  it('is not quoted in the reason: an entry made by hand can hold a key', async () => {
    const key = 'c0ffee'.repeat(10);
    for (const content of [key, `{"accounts": {"a": {"key": "${key}" ${key}}}}`, `{"accounts": {"a": {"key": ${key}}}}`, `{"accounts": "${key}"}`, `{\n  "accounts": {\n    "a": {"key": "${key}" ${key}}\n  }\n}\n`]) {
      writeFileSync(path(), content);
      corrupt = [];
      await compare([]);
      expect(corrupt).toHaveLength(1);
      expect(corrupt[0]).not.toContain('c0ff');
      expect(corrupt[0]).not.toContain('ffee');
    }
  });
});
