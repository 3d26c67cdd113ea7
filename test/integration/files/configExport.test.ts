import { readFileSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createConfigExport, type ConfigExport, type ConfigExportOptions } from '../../../src/handlers/exportConfig.js';
import { toEntry } from '../../../src/files/entry.js';
import { startDatabase, type Database } from '../../support/database.js';
import { until } from '../../support/daemonWorld.js';
import { createExportWorld, noteStatements, type ExportWorld, type Given, type LogLine } from '../../support/exportWorld.js';

let database: Database;
let world: ExportWorld;
let exports: ConfigExport[] = [];
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  world = createExportWorld(database);
});
afterEach(async () => {
  for (const each of exports) await each.close();
  exports = [];
  world.remove();
});

interface Running extends ConfigExport {
  readonly lines: readonly LogLine[];
}
const start = (instance: Parameters<ExportWorld['instance']>[0] = {}, options: ConfigExportOptions = {}): Running => {
  const made = world.instance(instance);
  const started = createConfigExport(made, options);
  exports.push(started);
  return { ...started, lines: made.lines };
};
const ids = (given: readonly Given[]): string[] => given.map(({ authId }) => authId).sort();
const keyOf = (authId: string): string => readFileSync(world.in('pkeys', `${authId}.pkey`), 'utf8');
const written = (running: Running): LogLine[] => running.lines.filter(({ msg }) => msg === 'configuration written');

describe('the files', () => {
  it('name every account with its address, and hold its key, each for its owner alone', async () => {
    const given = await world.give(30);
    await start().follow();
    expect(world.accounts()).toEqual(Object.fromEntries(given.map(({ authId, address }) => [authId, toEntry(authId, address)])));
    for (const { authId, privateKey } of given) expect(keyOf(authId)).toBe(privateKey);
    expect(statSync(world.in('pkeys')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(world.in('pkeys'))) expect(statSync(world.in('pkeys', name)).mode & 0o777).toBe(0o600);
    expect(statSync(world.in('flow-production.json')).mode & 0o777).toBe(0o600);
  });

  it('are written when a twentieth of the entries is new; key files at once', async () => {
    const given = await world.give(100);
    const files = start();
    await files.follow();
    const before = world.version();
    given.push(...(await world.give(5)));
    await files.follow();
    expect(world.version()).toBe(before);
    expect(keyOf(given.at(-1)!.authId)).toBe(given.at(-1)!.privateKey);
    given.push(...(await world.give(1)));
    await files.follow();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
  });

  it('are written when nothing has come for a time, however often they are looked at meanwhile', async () => {
    const given = await world.give(100);
    const files = start({}, { quietMs: 300 });
    await files.follow();
    given.push(...(await world.give(1)));
    await until(10_000, async () => {
      await files.follow();
      return Object.keys(world.accounts()).length === 101;
    });
    expect(written(files)).toHaveLength(2);
  });

  it.each(['flush', 'close'] as const)('hold all after %s', async (end) => {
    const given = await world.give(100);
    const files = start();
    await files.follow();
    given.push(...(await world.give(1)));
    await files[end]();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
    expect(files.lines.filter(({ level }) => level > 30)).toEqual([]);
  });

  it('are not written where nothing is new', async () => {
    await world.give(100);
    const files = start();
    await files.flush();
    const before = world.version();
    for (let time = 0; time < 3; time += 1) {
      await files.follow();
      await files.flush();
    }
    await files.close();
    await start().flush();
    expect(world.version()).toBe(before);
  });

  it('cost less than 30 times their final size where 10,000 wallets come one at a time', async () => {
    const files = start({ pkeyFiles: false });
    let bytes = 0;
    let version = 0;
    let writes = 0;
    for (let wallet = 0; wallet < 10_000; wallet += 1) {
      await world.give(1);
      await files.follow();
      const now = statSync(world.in('flow-production.json'));
      if (now.ino !== version) {
        bytes += now.size;
        writes += 1;
      }
      version = now.ino;
    }
    await files.flush();
    if (world.version() !== version) {
      bytes += statSync(world.in('flow-production.json')).size;
      writes += 1;
    }
    expect(written(files)).toHaveLength(writes);
    expect(Object.keys(world.accounts())).toHaveLength(10_000);
    expect(bytes / statSync(world.in('flow-production.json')).size).toBeLessThan(30);
  }, 300_000);
});

describe('what is asked of the journal', () => {
  it('is each account once at the start, in pages, and then only what is new', async () => {
    await world.give(4_100);
    await start().flush();
    await exports.pop()?.close();
    const { journal, statements } = noteStatements(database.journal);
    const files = start({ journal });
    await files.follow();
    // Where to begin, three pages, what came meanwhile.
    expect(statements).toHaveLength(6);
    expect(statements.some((text) => text.includes('private_key'))).toBe(false);
    statements.length = 0;
    await files.follow();
    await files.flush();
    expect(statements).toHaveLength(4);
    statements.length = 0;
    await world.give(700);
    await files.follow();
    // For 700 keys in two batches: why they are opened, the keys, what was exported; and three pages of the merge.
    expect(statements).toHaveLength(11);
  });

  it('are no keys where no key files are to be written', async () => {
    const { journal, statements } = noteStatements(database.journal);
    const given = await world.give(20);
    const files = start({ journal, pkeyFiles: false });
    await files.follow();
    given.push(...(await world.give(20)));
    await files.flush();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
    expect(readdirSync(world.in('pkeys'))).toEqual([]);
    expect(statements.some((text) => text.includes('private_key'))).toBe(false);
  });

  it('is not the same again and again while an old transaction stays open, and that one is not missed', async () => {
    await world.give(100);
    const slow = await database.connect('postgres');
    await slow.query('begin');
    await slow.query(
      `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment, assigned_xid)
       values ('assigned', repeat('ab', 64), 'v1', '0x00000000000000ab', '00000000-0000-0000-0000-000000000000', clock_timestamp(), nextval('wallet_sync.assignment'), pg_current_xact_id())`,
    );
    const files = start({ pkeyFiles: false });
    await files.follow();
    await world.give(2);
    const before = world.version();
    for (let time = 0; time < 10; time += 1) await files.follow();
    expect(world.version()).toBe(before);
    await slow.query('commit');
    await files.flush();
    expect(Object.keys(world.accounts())).toHaveLength(103);
    expect(Object.keys(world.accounts())[0]).toBe('00000000-0000-0000-0000-000000000000');
  });
});

describe('what is found in the folder', () => {
  it('and was made by hand stays, also what comes while the daemon runs', async () => {
    const given = await world.give(3);
    const files = start();
    await files.follow();
    const content = JSON.parse(readFileSync(world.in('flow-production.json'), 'utf8')) as { accounts: Record<string, unknown> };
    writeFileSync(world.in('flow-production.json'), JSON.stringify({ networks: { mine: 'x' }, accounts: { admin: { address: '01' }, ...content.accounts } }, null, 2));
    given.push(...(await world.give(1)));
    await files.follow();
    expect(JSON.parse(readFileSync(world.in('flow-production.json'), 'utf8'))).toMatchObject({ networks: { mine: 'x' }, accounts: { admin: { address: '01' } } });
    expect(Object.keys(world.accounts()).sort()).toEqual([...ids(given), 'admin'].sort());
  });

  it('is made again where it was taken away: the file at a flush, key files at the next start', async () => {
    const given = await world.give(20);
    const files = start();
    await files.follow();
    rmSync(world.in('flow-production.json'));
    for (const { authId } of given.slice(0, 3)) unlinkSync(world.in('pkeys', `${authId}.pkey`));
    await files.flush();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
    await files.close();
    await start().follow();
    for (const { authId, privateKey } of given) expect(keyOf(authId)).toBe(privateKey);
  });

  it('of another account of the user is replaced: entry and key', async () => {
    const [one, two] = (await world.give(2)) as [Given, Given];
    await start().close();
    writeFileSync(world.in('pkeys', `${one.authId}.pkey`), 'another key');
    writeFileSync(world.in('pkeys', `${two.authId}.pkey`), 'another key');
    writeFileSync(world.in('flow-production.json'), JSON.stringify({ accounts: { [one.authId]: { address: '0x01' } } }));
    await start().follow();
    expect(world.accounts()).toEqual(Object.fromEntries([one, two].map(({ authId, address }) => [authId, toEntry(authId, address)])));
    expect([keyOf(one.authId), keyOf(two.authId)]).toEqual([one.privateKey, two.privateKey]);
  });

  it('and is corrupt is set aside with a warning, and rebuilt', async () => {
    const given = await world.give(5);
    await start().close();
    writeFileSync(world.in('flow-production.json'), '{"accounts": {');
    const files = start();
    await files.follow();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
    expect(readFileSync(world.in('flow-production.json.corrupt'), 'utf8')).toBe('{"accounts": {');
    expect(files.lines.filter(({ level }) => level === 40)).toEqual([expect.objectContaining({ msg: 'configuration file is corrupt and is rebuilt', reason: expect.stringContaining('not JSON') as string })]);
  });

  it('of users who are gone stays, and is told once for each change', async () => {
    const given = await world.give(40);
    const files = start();
    await files.follow();
    const gone = (): unknown[] => files.lines.filter(({ msg }) => msg === 'entries of users who are gone are kept').map((line) => line['gone']);
    await database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason) select auth_id, 'orphaned', 'gone' from wallet_sync.account order by auth_id limit 2");
    for (let time = 0; time < 2; time += 1) {
      given.push(...(await world.give(1)));
      await files.flush();
    }
    await database.asOwner('delete from wallet_sync.account where auth_id = $1', [given.pop()!.authId]);
    await world.give(1);
    await files.flush();
    expect(gone()).toEqual([2, 3]);
    expect(Object.keys(world.accounts())).toHaveLength(43);
  });

  it('never holds an account whose key does not open: told once, the others are there', async () => {
    const given = await world.give(10);
    const broken = given.shift()!;
    await database.asOwner("update wallet_sync.account set private_key = 'v1:00000000:x:y' where auth_id = $1", [broken.authId]);
    const files = start();
    await files.follow();
    given.push(...(await world.give(5)));
    await files.flush();
    expect(Object.keys(world.accounts()).sort()).toEqual(ids(given));
    expect(files.lines.filter(({ level }) => level > 30)).toEqual([expect.objectContaining({ msg: 'key does not open: left out of the configuration', authId: broken.authId, kind: 'data' })]);
  });
});
