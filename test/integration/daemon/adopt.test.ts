import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { addressOf } from '../../../dev/simulatedChain/addresses.js';
import { generateKeyPair, type KeyPair } from '../../../src/flow/keys.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand, startCommand, type Ended } from '../../support/command.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { makeOldAccounts, oldBlob, type OldAccount } from '../../support/oldService.js';

const PASSPHRASE = 'correct horse battery staple';
/** Rows a transaction: many are needed. */
const PAGE = 3;

interface Row {
  readonly address: string | null;
  readonly key: string | null;
  readonly publicKey: string | null;
}
interface Case extends Row {
  readonly class: string;
  /** What must open afterwards. */
  readonly pair?: KeyPair;
  /** It comes into the journal, at this address. */
  readonly account?: OldAccount;
  /** Its key on chain hashes in another way. */
  readonly hashes?: boolean;
}

let world: DaemonWorld;
let env: Record<string, string>;
let masterKey: Buffer;
let folder: string;
const cases = new Map<string, Case>();
const files = new Map<string, { readonly class: string; readonly account: OldAccount }>();

const sql = <R extends Record<string, unknown>>(text: string, params: readonly unknown[] = []) => world.stack.postgres.query<R>('postgres', text, params);
const adopt = (...args: string[]): Promise<Ended> => runCommand(['adopt', '--json', ...args], env);
const errorOf = ({ stderr }: Ended): Record<string, unknown> => JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
interface Report {
  readonly rows: number;
  readonly files: number;
  readonly sealed: number;
  readonly adopted: number;
  readonly provisioned: number;
  readonly classes: readonly { readonly class: string; readonly count: number; readonly mend: string | null; readonly users: readonly { readonly user: string; readonly reason: string }[] }[];
}
async function reportOf(ended: Promise<Ended>): Promise<Report> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  for (const secret of secrets()) expect(stdout + stderr).not.toContain(secret);
  return JSON.parse(stdout) as Report;
}
const secrets = (): string[] => [PASSPHRASE, ...[...cases.values()].flatMap((each) => (each.pair === undefined ? [] : [each.pair.privateKey])), ...[...files.values()].map((each) => each.account.privateKey)];
const countsOf = (report: Report): Record<string, number> => Object.fromEntries(report.classes.map((each) => [each.class, each.count]));
/** Every row of the journal and of public.wallet, with the transaction that wrote it. Not the audit log: whoever opens keys is seen there. */
async function everything(): Promise<Record<string, unknown>> {
  const tables = await sql<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where (schemaname = 'wallet_sync' and tablename <> 'audit') or (schemaname, tablename) = ('public', 'wallet') order by 1");
  const rows: Record<string, unknown> = {};
  for (const { name } of tables) rows[name] = await sql(`select t.xmin::text as written_by, t.* from ${name} t order by t::text`);
  return rows;
}

beforeAll(async () => {
  world = await startDaemonWorld();
  const settings = world.stack.env();
  masterKey = Buffer.from(settings['WALLET_ENCRYPTION_KEY'] ?? '', 'base64');
  folder = settings['ACCOUNTS_DIR'] ?? '';
  env = { ...settings, ADOPT_ENCRYPTION_KEY: PASSPHRASE, PAGE_SIZE: `${PAGE}` };
  const { accounts, otherHash } = await makeOldAccounts(world.stack, 20);
  const take = (): OldAccount => accounts.pop() as OldAccount;
  const vault = createVault(masterKey);
  const salt = randomBytes(16);
  const bare = (address: string): string => address.slice(2).toUpperCase();
  const sound = (name: string, spell: (account: OldAccount) => Row): Case => {
    const account = take();
    return { class: name, account, pair: account, ...spell(account) };
  };
  const lonely = generateKeyPair();
  const plain = (name: string, address: string, pair: KeyPair, publicKey: string | null = pair.publicKey): Case => ({ class: name, address, key: pair.privateKey, publicKey, pair });
  const both = take();
  const strange = take();

  const list: Case[] = [
    sound('plaintext', (a) => ({ address: a.address, key: a.privateKey, publicKey: a.publicKey })),
    sound('plaintext', (a) => ({ address: bare(a.address), key: `0x${a.privateKey.toUpperCase()}`, publicKey: null })),
    sound('plaintext', (a) => ({ address: a.address, key: `${a.privateKey}\n`, publicKey: `0x04${a.publicKey}` })),
    sound('old-blob', (a) => ({ address: a.address, key: oldBlob(a.privateKey, PASSPHRASE, salt), publicKey: `04${a.publicKey}` })),
    sound('old-blob', (a) => ({ address: a.address, key: oldBlob(Buffer.from(a.privateKey, 'hex'), PASSPHRASE, salt), publicKey: a.publicKey.toUpperCase() })),
    sound('old-blob', (a) => ({ address: a.address, key: oldBlob(`0x${a.privateKey}`, PASSPHRASE), publicKey: null })),
    sound('encrypted', (a) => ({ address: a.address, key: vault.seal(a.privateKey, a.publicKey), publicKey: a.publicKey })),
    { ...sound('other-master-key', (a) => ({ address: a.address, key: createVault(randomBytes(32)).seal(a.privateKey, a.publicKey), publicKey: a.publicKey })) },
    { ...sound('does-not-open', (a) => ({ address: a.address, key: oldBlob(a.privateKey, 'another passphrase'), publicKey: a.publicKey })) },
    { ...sound('no-key', (a) => ({ address: a.address, key: null, publicKey: a.publicKey })) },
    { class: 'no-address', address: null, key: lonely.privateKey, publicKey: lonely.publicKey, pair: lonely },
    plain('mismatch', take().address, generateKeyPair()),
    { ...plain('mismatch', otherHash.address, otherHash), hashes: true },
    plain('mismatch', strange.address, strange, generateKeyPair().publicKey),
    plain('missing-on-chain', addressOf(3_000), generateKeyPair()),
    { ...plain('missing-on-chain', '0x1234567890abcdef', generateKeyPair(), null) },
    plain('shared', both.address, both),
    plain('shared', both.address, both),
    plain('other-network', '0x1654653399040a61', generateKeyPair()),
    { class: 'waiting', address: null, key: null, publicKey: null },
  ];
  const users = await world.signUps(list.length + 5);
  for (const [i, each] of list.entries()) {
    const authId = users[i]!.authId;
    cases.set(authId, each);
    await sql('update public.wallet set flow_address = $2, flow_private_key = $3, flow_public_key = $4 where auth_id = $1', [authId, each.address, each.key, each.publicKey]);
  }
  // The files of the older service: pkeys/ and flow-production.json.
  await mkdir(join(folder, 'pkeys'), { recursive: true, mode: 0o700 });
  const entries: Record<string, unknown> = { 'made-by-hand': { address: '0x01', key: 'somebody' } };
  const file = async (authId: string, name: string, account: OldAccount, mode = 0o600): Promise<void> => {
    files.set(authId, { class: name, account });
    entries[authId] = { address: account.address, key: { type: 'file', location: `accounts/pkeys/${authId}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } };
    await writeFile(join(folder, 'pkeys', `${authId}.pkey`), account.privateKey, { mode });
    await chmod(join(folder, 'pkeys', `${authId}.pkey`), mode);
  };
  const [taken, rowless, open, linked, invented] = users.slice(list.length).map((each) => each.authId) as [string, string, string, string, string];
  await file(taken, 'key-file', take());
  await file(rowless, 'key-file', take());
  await sql('delete from public.wallet where auth_id = $1', [rowless]);
  await file(open, 'unsafe-file', take(), 0o644);
  const target = take();
  await writeFile(join(folder, 'elsewhere'), target.privateKey, { mode: 0o600 });
  await file(linked, 'unsafe-file', target);
  await rm(join(folder, 'pkeys', `${linked}.pkey`));
  await symlink(join(folder, 'elsewhere'), join(folder, 'pkeys', `${linked}.pkey`));
  await file(invented, 'missing-on-chain', { ...generateKeyPair(), address: addressOf(3_001) });
  const [first, second] = [...cases.keys()] as [string, string];
  await file(first, 'in-table', cases.get(first)!.account!);
  await file(second, 'conflict', { ...generateKeyPair(), address: cases.get(second)!.account!.address });
  await writeFile(join(folder, 'flow-production.json'), JSON.stringify({ accounts: entries }, null, 1), { mode: 0o600 });
});
afterAll(() => world?.stop());

/** Of rows and files together. The rows of users whose key file was taken are encrypted by then. */
function expected(isDryRun: boolean): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (name: string, count = 1): void => void (counts[name] = (counts[name] ?? 0) + count);
  for (const each of cases.values()) add(each.class);
  for (const each of files.values()) add(each.class);
  // Rows of the five users of files alone: one has none before the adoption.
  if (isDryRun) add('waiting', 4);
  else {
    add('waiting', 3);
    add('encrypted', 2);
  }
  return counts;
}

describe('wallet-sync adopt', () => {
  it('refuses what it does not know with 2, and a wrong old passphrase before anything is changed', async () => {
    const before = await everything();
    const unknown = await adopt('--missing', 'invent');
    expect([unknown.code, errorOf(unknown)['where']]).toEqual([2, '--missing']);
    const wrong = await runCommand(['adopt', '--json'], { ...env, ADOPT_ENCRYPTION_KEY: 'not it' });
    expect(wrong.code).toBe(2);
    expect(errorOf(wrong)).toMatchObject({ where: 'ADOPT_ENCRYPTION_KEY', kind: 'usage' });
    expect(String(errorOf(wrong)['error'])).toContain('opens none of the 4');
    expect(wrong.stderr).not.toContain('not it');
    expect(await everything()).toEqual(before);
  });

  it('--dry-run tells every class with its users and changes nothing', async () => {
    const before = await everything();
    const report = await reportOf(adopt('--dry-run'));
    const text = await runCommand(['adopt', '--dry-run', '--missing', 'provision'], env);
    expect(await everything()).toEqual(before);
    expect(countsOf(report)).toEqual(expected(true));
    expect(report).toMatchObject({ rows: cases.size + 4, files: files.size, sealed: 0, adopted: 0, provisioned: 0 });
    for (const [authId, each] of cases) expect(report.classes.find((found) => found.class === each.class)?.users.map(({ user }) => user)).toContain(authId);
    for (const [authId, each] of files) expect(report.classes.find((found) => found.class === each.class)?.users.map(({ user }) => user)).toContain(authId);
    expect(text.code).toBe(0);
    expect(text.stdout).toContain('Only looked: nothing was changed.');
    for (const secret of secrets()) expect(text.stdout + text.stderr).not.toContain(secret);
  });

  it('killed anywhere, also in the middle of a page, it loses nothing: run again, each key opens, and each is taken over once', async () => {
    // Held inside a page's transaction: rows changed, journal not yet. Then killed there.
    const sound = [...cases.values()].flatMap((each) => (each.account === undefined || !['plaintext', 'old-blob'].includes(each.class) ? [] : [each.account]));
    const holder = new pg.Client({ connectionString: world.stack.postgres.url('postgres') });
    holder.on('error', () => undefined);
    await holder.connect();
    await holder.query('begin');
    await holder.query("insert into wallet_sync.account (state, public_key, private_key) values ('prepared', $1, 'held')", [sound[4]!.publicKey]);
    const first = startCommand(['adopt', '--json'], env);
    await until(60_000, async () => (await sql("select from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into wallet_sync.account%'")).length > 0);
    first.kill('SIGKILL');
    await first.ended;
    await holder.query('rollback');
    await holder.end();
    await until(60_000, async () => (await sql("select from pg_stat_activity where application_name = 'wallet-sync'")).length === 0);
    const half = await sql<{ done: number }>('select count(*)::integer as done from wallet_sync.adopted');
    const whole = await sql<{ halfway: number }>("select count(*)::integer as halfway from public.wallet w where flow_private_key like 'v1:%' and not exists (select from wallet_sync.adopted o where o.auth_id = w.auth_id) and w.auth_id = any($1)", [
      [...cases].filter(([, each]) => each.class !== 'encrypted' && each.class !== 'other-master-key').map(([authId]) => authId),
    ]);
    expect(half[0]!.done).toBeGreaterThan(0);
    expect(whole[0]!.halfway).toBe(0);

    const report = await reportOf(adopt());
    expect(report.rows).toBe(cases.size + 5);
    const rows = await sql<{ auth_id: string; flow_address: string; flow_public_key: string; flow_private_key: string }>('select * from public.wallet');
    const accounts = new Map((await sql<{ auth_id: string; address: string; private_key: string; state: string }>('select * from wallet_sync.account')).map((row) => [row.auth_id, row]));
    const vault = createVault(masterKey);
    const row = (authId: string) => rows.find((each) => each.auth_id === authId)!;
    for (const [authId, each] of cases) {
      const { flow_address: address, flow_private_key: key, flow_public_key: publicKey } = row(authId);
      if (['plaintext', 'old-blob', 'encrypted'].includes(each.class)) {
        expect({ address, key: vault.open(key, publicKey) }, each.class).toEqual({ address: each.account!.address, key: each.pair!.privateKey });
        expect(accounts.get(authId)).toMatchObject({ address, private_key: key, state: 'assigned' });
      } else {
        expect(accounts.has(authId), each.class).toBe(false);
        expect(address, each.class).toBe(each.address);
        if (each.class === 'waiting' || each.class === 'no-key' || each.class === 'does-not-open' || each.class === 'other-master-key') expect(key, each.class).toBe(each.key);
        else expect(vault.open(key, publicKey), each.class).toBe(each.pair!.privateKey);
      }
    }
    for (const [authId, each] of files) {
      if (each.class === 'key-file') {
        expect(vault.open(row(authId).flow_private_key, row(authId).flow_public_key)).toBe(each.account.privateKey);
        expect(accounts.get(authId)).toMatchObject({ address: each.account.address, state: 'assigned' });
      } else if (each.class === 'unsafe-file' || each.class === 'missing-on-chain') expect(row(authId).flow_private_key).toBeNull();
    }
    // The history: each change once, with what was, and never a key in the clear.
    const history = await sql<{ auth_id: string; action: string; old_address: string | null; old_public_key: string | null; old_private_key: string | null; public_key: string; sealed_key: string }>('select * from wallet_sync.adopted order by id');
    expect(new Set(history.map((each) => `${each.auth_id} ${each.action}`)).size).toBe(history.length);
    for (const [authId, each] of cases) {
      if (each.pair === undefined || ['encrypted', 'other-master-key', 'does-not-open', 'no-key'].includes(each.class)) continue;
      const entry = history.find((one) => one.auth_id === authId && one.action !== 'kept-from-file')!;
      expect(entry, each.class).toMatchObject({ old_address: each.address, old_public_key: each.publicKey, old_private_key: each.class === 'old-blob' ? each.key : null });
      expect(vault.open(entry.sealed_key, entry.public_key)).toBe(each.pair.privateKey);
    }
    const text = JSON.stringify(await everything());
    for (const secret of secrets()) expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
    for (const name of ['conflict', 'missing-on-chain']) {
      const [authId, kept] = [...files].find(([, each]) => each.class === name)!;
      const entry = history.find((each) => each.auth_id === authId && each.action === 'kept-from-file')!;
      expect(vault.open(entry.sealed_key, entry.public_key), name).toBe(kept.account.privateKey);
    }
  });

  it('run again it changes nothing', async () => {
    const before = await everything();
    const report = await reportOf(adopt());
    expect(report).toMatchObject({ sealed: 0, adopted: 0, provisioned: 0 });
    expect(await everything()).toEqual(before);
  });

  it('a row that the application\'s own constraint keeps is left and told, and its neighbours are served', async () => {
    const [kept, served] = (await world.signUps(2)).map((each) => each.authId) as [string, string];
    const pair = generateKeyPair();
    const other = generateKeyPair();
    await sql('update public.wallet set flow_address = $2, flow_private_key = $3 where auth_id = $1', [kept, addressOf(3_002), pair.privateKey]);
    await sql('update public.wallet set flow_address = $2, flow_private_key = $3 where auth_id = $1', [served, addressOf(3_003), other.privateKey]);
    await sql(`alter table public.wallet add constraint own_rule check (auth_id <> '${kept}' or flow_private_key !~ '^v1')`);
    const ended = await adopt();
    await sql('alter table public.wallet drop constraint own_rule');
    expect(ended.code).toBe(0);
    expect(ended.stdout + ended.stderr).not.toContain(pair.privateKey);
    const report = JSON.parse(ended.stdout) as Report;
    expect(report.sealed).toBe(1);
    expect(report.classes.find((each) => each.class === 'refused')?.users).toEqual([{ user: kept, reason: 'public.wallet refuses it (postgres 23514)' }]);
    expect((await sql<{ flow_private_key: string }>('select flow_private_key from public.wallet where auth_id = $1', [kept]))[0]!.flow_private_key).toBe(pair.privateKey);
    expect((await sql('select from wallet_sync.adopted where auth_id = any($1)', [[kept, served]])).length).toBe(1);
    await sql('delete from public.wallet where auth_id = any($1)', [[kept, served]]);
    await world.stack.authPool.query('delete from auth.users where id = any($1)', [[kept, served]]);
  });

  it('a key file whose row a rule of the application refuses is left and told, and its neighbours are served', async () => {
    const [refused, served] = (await world.signUps(2)).map((each) => each.authId) as [string, string];
    const [one, other] = (await makeOldAccounts(world.stack, 2)).accounts as [OldAccount, OldAccount];
    const config = join(folder, 'flow-production.json');
    const before = await readFile(config, 'utf8');
    const entries = { [refused]: { address: one.address, key: one.privateKey }, [served]: { address: other.address, key: other.privateKey } };
    await writeFile(config, JSON.stringify({ accounts: entries }));
    await sql(`alter table public.wallet add constraint own_rule check (auth_id <> '${refused}' or flow_private_key !~ '^v1')`);
    const ended = await adopt();
    await sql('alter table public.wallet drop constraint own_rule');
    await writeFile(config, before);
    expect(ended.code).toBe(0);
    const report = JSON.parse(ended.stdout) as Report;
    expect(report.adopted).toBe(1);
    expect(report.classes.find((each) => each.class === 'refused')?.users).toEqual([{ user: refused, reason: 'key file: public.wallet refuses it (postgres 23514)' }]);
    expect(await sql('select auth_id, flow_address from public.wallet where auth_id = any($1) and flow_address is not null', [[refused, served]])).toEqual([{ auth_id: served, flow_address: other.address }]);
    await sql('delete from wallet_sync.account where auth_id = $1', [served]);
    await sql('delete from public.wallet where auth_id = any($1)', [[refused, served]]);
    await world.stack.authPool.query('delete from auth.users where id = any($1)', [[refused, served]]);
  });

  it('a daemon started afterwards gives none of them a second account, and its sweep counts them right', async () => {
    const sound = [...cases].filter(([, each]) => ['plaintext', 'old-blob', 'encrypted'].includes(each.class)).map(([authId]) => authId);
    const taken = [...files].filter(([, each]) => each.class === 'key-file').map(([authId]) => authId);
    const before = await sql('select auth_id, address, private_key from wallet_sync.account where auth_id = any($1) order by auth_id', [[...sound, ...taken]]);
    expect(before.length).toBe(sound.length + taken.length);
    const daemon = world.daemon({ POOL_SIZE: '0' });
    const swept = await daemon.logged((line) => line.msg === 'sweep done');
    const waiting = [...[...cases].filter(([, each]) => each.class === 'waiting'), ...[...files].filter(([, each]) => ['unsafe-file', 'missing-on-chain'].includes(each.class))].map(([authId]) => ({ authId }));
    await until(60_000, async () => (await sql('select from public.wallet where auth_id = any($1) and flow_address is not null', [waiting.map((each) => each.authId)])).length === waiting.length);
    await until(20_000, async () => Object.keys((JSON.parse(await readFile(join(folder, 'flow-production.json'), 'utf8')) as { accounts: object }).accounts).length >= sound.length + taken.length);
    await daemon.stop();
    expect(await sql('select auth_id, address, private_key from wallet_sync.account where auth_id = any($1) order by auth_id', [[...sound, ...taken]])).toEqual(before);
    // A sweep compares the public key alone: it also takes the one whose key hashes in another way.
    const hashed = [...cases.values()].filter((each) => each.hashes === true).length;
    expect((await sql('select from wallet_sync.account where auth_id is not null')).length).toBe(before.length + waiting.length + hashed);
    const [cycle] = await sql<{ total: number; corrupted: number }>('select total_wallets::integer as total, corrupted_wallets::integer as corrupted from wallet_sync.cycle order by id desc limit 1');
    // A key under a master key that the instance does not hold says nothing about its row.
    const broken = [...cases.values()].filter((each) => !['plaintext', 'old-blob', 'encrypted', 'waiting', 'other-master-key'].includes(each.class) && each.hashes !== true).length;
    expect(swept['msg']).toBe('sweep done');
    expect(cycle).toEqual({ total: cases.size + 5, corrupted: broken });
  });

  it('--missing provision gives each address without an account a new one, and keeps the old values in the history', async () => {
    const missing = [...cases].filter(([, each]) => each.class === 'missing-on-chain');
    const report = await reportOf(adopt('--missing', 'provision'));
    expect(report.provisioned).toBe(missing.length);
    const daemon = world.daemon({ POOL_SIZE: '0' });
    await world.ready(missing.map(([authId]) => ({ authId, xid: '' })));
    await daemon.stop();
    const vault = createVault(masterKey);
    for (const [authId, each] of missing) {
      const [row] = await sql<{ flow_address: string; flow_private_key: string; flow_public_key: string }>('select * from public.wallet where auth_id = $1', [authId]);
      const [entry] = await sql<{ old_address: string; sealed_key: string; public_key: string }>("select * from wallet_sync.adopted where auth_id = $1 and action = 'provisioned'", [authId]);
      expect(row!.flow_address).not.toBe(each.address);
      expect(vault.open(row!.flow_private_key, row!.flow_public_key)).not.toBe(each.pair!.privateKey);
      expect(entry!.old_address).toBe(each.address);
      expect(vault.open(entry!.sealed_key, entry!.public_key)).toBe(each.pair!.privateKey);
    }
  });

  it('a wrong public key that was taken away, as the report says, is derived: the key is sealed anew, and its wallet is taken into the journal', async () => {
    const [[authId, wrong], [other, strange]] = [[...cases].find(([, each]) => each.class === 'mismatch' && each.publicKey !== each.pair?.publicKey)!, [...cases].find(([, each]) => each.class === 'other-master-key')!];
    const vault = createVault(masterKey);
    await sql('update public.wallet set flow_public_key = null where auth_id = $1', [authId]);
    // White space around a ciphertext of this service's: others that read the row do not trim it.
    await sql('update public.wallet set flow_private_key = $2 where auth_id = $1', [other, `\n${vault.seal(strange.pair!.privateKey, strange.pair!.publicKey)} `]);
    const report = await reportOf(adopt());
    expect(report).toMatchObject({ adopted: 2, sealed: 0 });
    for (const [id, { pair, address }] of [[authId, wrong], [other, strange]] as const) {
      const [row] = await sql<{ flow_private_key: string; flow_public_key: string }>('select * from public.wallet where auth_id = $1', [id]);
      expect(row!.flow_public_key).toBe(pair!.publicKey);
      expect(row!.flow_private_key).toMatch(/^v1:\S+$/);
      expect(vault.open(row!.flow_private_key, pair!.publicKey)).toBe(pair!.privateKey);
      expect(await sql('select address, private_key, state::text from wallet_sync.account where auth_id = $1', [id])).toEqual([{ address, private_key: row!.flow_private_key, state: 'assigned' }]);
    }
  });
});
