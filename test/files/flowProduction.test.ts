import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFlowProduction, toEntry, writeFlowProduction } from '../../src/files/flowProduction.js';
import { modeOf, useFolder, whileReadOnly } from './folder.js';

const folder = useFolder();
const path = () => folder.in('flow-production.json');
const json = (): unknown => JSON.parse(readFileSync(path(), 'utf8'));

const USER = '8d8ac610-566d-4ef0-9c22-186b2a5ed793';

describe('an entry', () => {
  it('is what the Flow CLI reads', () => {
    expect(toEntry(USER, '0x179b6b1cb6755e31')).toEqual({
      address: '0x179b6b1cb6755e31',
      key: { type: 'file', location: `accounts/pkeys/${USER}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' },
    });
  });
});

describe('the configuration file', () => {
  it('that is not there is fresh and empty, and none is made by looking', async () => {
    expect(await readFlowProduction(path())).toEqual({ content: { accounts: {} }, fresh: true, corrupt: null });
    expect(existsSync(path())).toBe(false);
  });

  it('is written whole, indented, with a line end, for its owner alone', async () => {
    await writeFlowProduction(path(), { accounts: { [USER]: toEntry(USER, '0x01') } });
    expect(modeOf(path())).toBe(0o600);
    expect(readFileSync(path(), 'utf8')).toMatch(/^\{\n {2}"accounts": \{\n[^]*\}\n$/);
    expect(await readFlowProduction(path())).toEqual({ content: { accounts: { [USER]: toEntry(USER, '0x01') } }, fresh: false, corrupt: null });
  });

  it('keeps entries and keys that were made by hand', async () => {
    const byHand = {
      networks: { testnet: 'access.devnet.nodes.onflow.org:9000' },
      accounts: { 'my-admin': { address: 'f8d6e0586b0a20c7', key: 'AWS' }, odd: 'text', [USER]: { address: '0x01', note: 'mine' } },
      deployments: [1, null, { deep: true }],
    };
    writeFileSync(path(), JSON.stringify(byHand));
    const { content } = await readFlowProduction(path());
    content.accounts['another'] = toEntry('another', '0x02');
    await writeFlowProduction(path(), content);
    expect(json()).toEqual({ ...byHand, accounts: { ...byHand.accounts, another: toEntry('another', '0x02') } });
  });

  it('keeps whatever stands beside the accounts and in them', async () => {
    // JSON cannot tell -0 from 0, and __proto__ is no name that a person gives.
    const name = fc.string({ maxLength: 12 }).filter((text) => text !== '__proto__' && text !== 'accounts');
    const value = fc.jsonValue({ maxDepth: 3 }).map((made) => JSON.parse(JSON.stringify(made).replaceAll('"__proto__"', '"p"')) as unknown);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value), fc.dictionary(name, value), async (beside, accounts) => {
        writeFileSync(path(), JSON.stringify({ ...beside, accounts }));
        const read = await readFlowProduction(path());
        expect(read).toMatchObject({ fresh: false, corrupt: null });
        await writeFlowProduction(path(), read.content);
        expect(json()).toEqual(JSON.parse(JSON.stringify({ ...beside, accounts })));
      }),
      { numRuns: 40 },
    );
  });

  it('has its previous version as .backup, for its owner alone', async () => {
    await writeFlowProduction(path(), { accounts: {} });
    await writeFlowProduction(path(), { accounts: { [USER]: toEntry(USER, '0x01') } });
    expect(JSON.parse(readFileSync(`${path()}.backup`, 'utf8'))).toEqual({ accounts: {} });
    expect(modeOf(`${path()}.backup`)).toBe(0o600);
  });

  it('that cannot be written stays as it was', async () => {
    await writeFlowProduction(path(), { accounts: {} });
    await whileReadOnly(folder.path, async () => {
      await expect(writeFlowProduction(path(), { accounts: { [USER]: {} } })).rejects.toMatchObject({ code: 'EACCES' });
    });
    expect(json()).toEqual({ accounts: {} });
  });

  it('that is a folder is an error, not a corrupt file', async () => {
    await expect(readFlowProduction(folder.path)).rejects.toMatchObject({ code: 'EISDIR' });
    expect(existsSync(folder.path)).toBe(true);
  });

  it('that is a link is read through it, and replaced and not followed when written', async () => {
    writeFileSync(folder.in('elsewhere.json'), '{"accounts":{"a":1}}');
    symlinkSync(folder.in('elsewhere.json'), path());
    const { content } = await readFlowProduction(path());
    expect(content).toEqual({ accounts: { a: 1 } });
    await writeFlowProduction(path(), { accounts: { b: 2 } });
    expect(readFileSync(folder.in('elsewhere.json'), 'utf8')).toBe('{"accounts":{"a":1}}');
    expect(json()).toEqual({ accounts: { b: 2 } });
  });
});

describe('a corrupt configuration file', () => {
  const corrupt: [name: string, text: string, reason: RegExp][] = [
    ['empty', '', /^it is not JSON/],
    ['torn', '{"accounts": {"a": {"addr', /^it is not JSON/],
    ['no JSON', 'accounts: {}', /^it is not JSON/],
    ['a list', '[]', /^it is not \{"accounts"/],
    ['null', 'null', /^it is not \{"accounts"/],
    ['without accounts', '{"networks": {}}', /^it is not \{"accounts"/],
    ['with a list of accounts', '{"accounts": []}', /^it is not \{"accounts"/],
  ];

  it.each(corrupt)('is set aside as it was, with the reason: %s', async (_, text, reason) => {
    writeFileSync(path(), text);
    const read = await readFlowProduction(path());
    expect(read).toMatchObject({ content: { accounts: {} }, fresh: true });
    expect(read.corrupt).toMatch(reason);
    expect(existsSync(path())).toBe(false);
    expect(readFileSync(`${path()}.corrupt`, 'utf8')).toBe(text);
  });

  it('leaves the backup where it is, also when the file is rebuilt', async () => {
    writeFileSync(`${path()}.backup`, '{"accounts":{"good":1}}');
    writeFileSync(path(), '{"accounts":');
    const { content } = await readFlowProduction(path());
    await writeFlowProduction(path(), content);
    expect(readFileSync(`${path()}.backup`, 'utf8')).toBe('{"accounts":{"good":1}}');
    expect(json()).toEqual({ accounts: {} });
  });

  it('is not quoted in the reason: an entry made by hand can hold a key', async () => {
    const key = 'c0ffee'.repeat(10);
    for (const text of [key, `{"accounts": {"a": {"key": "${key}" ${key}}}}`, `{"accounts": {"a": {"key": ${key}}}}`, `{"accounts": "${key}"}`]) {
      writeFileSync(path(), text);
      const { corrupt: reason } = await readFlowProduction(path());
      expect(reason).not.toBeNull();
      expect(reason).not.toContain('c0ff');
      expect(reason).not.toContain('ffee');
    }
  });
});
