import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVICE_ADDRESS } from '../../../dev/emulator.js';
import { CHAIN_SETTINGS, openChain } from '../../../src/commands/connectChain.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { generateKeyPair, type KeyPair } from '../../../src/flow/keys.js';
import { createAuditedVault } from '../../../src/handlers/auditedVault.js';
import { verifyKeys, type KeysReport } from '../../../src/handlers/verifyKeys.js';
import { openJournal } from '../../../src/journal/pool.js';
import { createLog } from '../../../src/log.js';
import { createVault, type Vault } from '../../../src/secrets.js';
import { pickSettings } from '../../../src/settings.js';
import { createTelemetry } from '../../../src/telemetry/events.js';
import { runCommand, startCommand, type Ended } from '../../support/command.js';
import { startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';
import { everybody, type Wallet } from '../../support/sweeps.js';
import { actAs, REVOKE_KEY } from '../../support/walletOwner.js';

const USERS = 8;

interface Report {
  readonly whole: boolean;
  readonly keys: number;
  readonly opened: number;
  readonly copies: number;
  readonly on_chain: number | null;
  readonly faults: Readonly<Record<string, number>>;
  readonly listed: readonly { account: number | null; user: string | null; address: string | null; fault: string; reason: string; mend: string }[];
}

let world: DaemonWorld;
let wallets: Wallet[];
let vault: Vault;
let env: Record<string, string>;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
  wallets = await everybody(world, USERS);
  env = world.stack.env();
  vault = createVault(Buffer.from(env['WALLET_ENCRYPTION_KEY']!, 'base64'));
});
afterAll(() => world?.stop());

const sql = <Row extends Record<string, unknown>>(text: string, values: readonly unknown[] = []) => world.stack.postgres.query<Row>('postgres', text, values);
const verify = (args: readonly string[] = [], settings: Readonly<Record<string, string>> = env): Promise<Ended> => runCommand(['keys', 'verify', '--json', ...args], settings);
const reportOf = ({ stdout }: Ended): Report => JSON.parse(stdout) as Report;
const faultsIn = (report: Report | KeysReport): Record<string, number> => Object.fromEntries(Object.entries(report.faults).filter(([, count]) => count > 0));

/** Every row of wallets, accounts and the rest, and which transaction wrote it; the audit log tells that keys were opened. */
async function everything(): Promise<Record<string, unknown>> {
  const tables = await sql<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where (schemaname = 'wallet_sync' and tablename <> 'audit') or (schemaname, tablename) in (('public', 'wallet'), ('auth', 'users')) order by 1");
  const rows: Record<string, unknown> = {};
  for (const { name } of tables) rows[name] = await sql(`select t.xmin::text as written_by, t.* from ${name} t order by t::text`);
  return rows;
}

/** Statements as who can do anything to a database, past the journal's guards: one who steals or mends by hand. */
const tamper = (...statements: string[]) => world.stack.postgres.query('supabase_admin', ['set session_replication_role = replica', ...statements, 'reset session_replication_role'].join('; '));

/** Runs with rows changed by hand, and puts all of both tables back. */
async function changed<T>(statements: readonly string[], work: () => Promise<T>): Promise<T> {
  await tamper('create table public.kept_account as table wallet_sync.account', 'create table public.kept_wallet as table public.wallet');
  try {
    await tamper(...statements);
    return await work();
  } finally {
    await tamper(
      'delete from wallet_sync.account', 'insert into wallet_sync.account overriding system value table public.kept_account',
      'delete from public.wallet', 'insert into public.wallet overriding system value table public.kept_wallet',
      'drop table public.kept_account', 'drop table public.kept_wallet',
    );
  }
}

const setAccount = (wallet: Wallet, column: string, value: string): string => `update wallet_sync.account set ${column} = '${value}' where auth_id = '${wallet.authId}'`;
const setWallet = (wallet: Wallet, column: string, value: string): string => `update public.wallet set flow_${column} = '${value}' where auth_id = '${wallet.authId}'`;
const setBoth = (wallet: Wallet, column: string, value: string): string[] => [setAccount(wallet, column, value), setWallet(wallet, column, value)];
const keyOf = async (wallet: Wallet): Promise<{ privateKey: string; publicKey: string }> => {
  const [row] = await sql<{ private_key: string; public_key: string }>('select private_key, public_key from wallet_sync.account where auth_id = $1', [wallet.authId]);
  return { privateKey: row!.private_key, publicKey: row!.public_key };
};
const prepared = (pair: KeyPair): string => `insert into wallet_sync.account (state, public_key, private_key) values ('prepared', '${pair.publicKey}', '${vault.seal(pair.privateKey, pair.publicKey)}')`;

/** What the command does, without its process. */
async function look(filter: { authId?: string } = {}): Promise<KeysReport> {
  const journal = openJournal({ connectionString: env['DATABASE_URL']!, log: createLog({ level: 'silent' }) });
  const { network, node } = await openChain(pickSettings(env, [...CHAIN_SETTINGS]), env);
  const audited = createAuditedVault({ masterKey: Buffer.from(env['WALLET_ENCRYPTION_KEY']!, 'base64'), journal, instanceId: randomUUID() });
  try {
    const chain = { network, node, cadence: loadCadence(network), telemetry: createTelemetry() };
    return await verifyKeys({ journal, vault: audited }, { filter, chain, by: 'a test', signal: new AbortController().signal, onProgress: () => undefined });
  } finally {
    node.close();
    await journal.close();
  }
}

describe('where all is as it should be', () => {
  it('every key opens, is on chain, and nothing is changed but the audit log, which has two entries', async () => {
    const pair = generateKeyPair();
    await changed(
      [prepared(pair)],
      async () => {
        const [before, since] = [await everything(), new Date().toISOString()];
        const ended = await verify();
        expect(ended.code, ended.stderr).toBe(0);
        expect(reportOf(ended)).toMatchObject({ whole: true, keys: USERS + 1, opened: USERS + 1, copies: USERS, on_chain: USERS, listed: [] });
        expect(await everything()).toEqual(before);
        const entries = await sql<{ kind: string; detail: Record<string, unknown> }>('select kind, detail from wallet_sync.audit where at > $1 order by id', [since]);
        expect(entries).toEqual([
          { kind: 'key-opened', detail: { why: expect.stringContaining('keys verify') as string, by: expect.stringContaining('@') as string } },
          { kind: 'keys-compared', detail: expect.objectContaining({ keys: USERS + 1, faults: 0, by: expect.stringContaining('@') as string }) as unknown },
        ]);
      },
    );
  });

  it('says it in words, and with --no-chain asks no access node', async () => {
    const ended = await runCommand(['keys', 'verify', '--no-chain'], { ...env, FLOW_ACCESS_NODE: 'http://127.0.0.1:9' });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toContain(`${USERS} keys stored, ${USERS} opened`);
    expect(ended.stdout).toContain('The chain was not asked.');
    expect(ended.stdout).toContain('All as it should be.');
  });

  it('--user looks at one; a user whom nobody knows ends with 1', async () => {
    expect(await look({ authId: wallets[0]!.authId })).toMatchObject({ keys: 1, sound: 1, copies: 1, onChain: 1, listed: [] });
    const ended = await verify(['--user', randomUUID().toUpperCase()]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('no key is stored for this user');
  });

  it("a deleted user's key and his row's copy are compared too, and a copy that was encrypted anew is no fault", async () => {
    const [deleted, anew] = [wallets[0]!, wallets[1]!];
    const { privateKey, publicKey } = await keyOf(anew);
    await changed([`update public.wallet set auth_id = null where auth_id = '${deleted.authId}'`, setWallet(anew, 'private_key', vault.seal(vault.open(privateKey, publicKey), publicKey))], async () => {
      expect(await look()).toMatchObject({ keys: USERS, sound: USERS, copies: USERS, onChain: USERS, listed: [] });
      await tamper(`update public.wallet set flow_private_key = 'v1:something' where flow_address = '${deleted.address}'`);
      expect((await look()).listed).toEqual([expect.objectContaining({ authId: deleted.authId, address: deleted.address, fault: 'copy-differs' })]);
    });
  });
});

it('what an adoption has kept is opened too, and the chain is not asked about it', async () => {
  const pair = generateKeyPair();
  const sealed = vault.seal(pair.privateKey, pair.publicKey);
  await sql("insert into wallet_sync.adopted (action, old_address, public_key, sealed_key) values ('kept-from-file', '0x0000000000000001', $1, $2)", [pair.publicKey, sealed]);
  try {
    expect(await look()).toMatchObject({ keys: USERS, sound: USERS, kept: 1, onChain: USERS, listed: [] });
    await sql("update wallet_sync.adopted set sealed_key = left(sealed_key, -4) || 'AAA='");
    expect((await look()).listed).toEqual([expect.objectContaining({ fault: 'not-opening', address: '0x0000000000000001', mend: expect.stringContaining('wallet_sync.adopted') as string })]);
  } finally {
    await sql('delete from wallet_sync.adopted');
  }
});

it('two swapped ciphertexts are detected', async () => {
  const [one, two] = [wallets[0]!, wallets[1]!];
  const [a, b] = [await keyOf(one), await keyOf(two)];
  const ended = await changed([...setBoth(one, 'private_key', b.privateKey), ...setBoth(two, 'private_key', a.privateKey)], () => verify());
  expect(ended.code).toBe(1);
  const report = reportOf(ended);
  expect(report).toMatchObject({ keys: USERS, opened: USERS - 2 });
  expect(faultsIn(report)).toEqual({ not_opening: 2 });
  expect(report.listed.map(({ user, mend }) => ({ user, mend })).sort((x, y) => x.user!.localeCompare(y.user!))).toEqual(
    [one, two].map(({ authId }) => ({ user: authId, mend: expect.stringContaining('backup') as string })).sort((x, y) => x.user.localeCompare(y.user)),
  );
});

it('two whole key pairs that were swapped open, and are detected on chain', async () => {
  const [one, two] = [wallets[0]!, wallets[1]!];
  const [a, b] = [await keyOf(one), await keyOf(two)];
  const report = await changed(
    [
      setAccount(one, 'public_key', 'ab'.repeat(64)),
      ...setBoth(two, 'public_key', a.publicKey), ...setBoth(two, 'private_key', a.privateKey),
      ...setBoth(one, 'public_key', b.publicKey), ...setBoth(one, 'private_key', b.privateKey),
    ],
    () => look(),
  );
  expect(report).toMatchObject({ sound: USERS, onChain: USERS - 2 });
  expect(faultsIn(report)).toEqual({ 'key-not-present': 2 });
});

it('each thing that can be wrong with a key is counted, and listed with what mends it', async () => {
  const [broken, bound, copied, moved, away] = wallets as [Wallet, Wallet, Wallet, Wallet, Wallet];
  const other = generateKeyPair();
  const stranger = generateKeyPair();
  const report = await changed(
    [
      setAccount(broken, 'private_key', 'v1:broken'),
      ...setBoth(bound, 'private_key', vault.seal(other.privateKey, (await keyOf(bound)).publicKey)),
      setWallet(copied, 'private_key', vault.seal(other.privateKey, (await keyOf(copied)).publicKey)),
      // None of this network.
      ...setBoth(moved, 'address', '0x0000000000000001'),
      setWallet(away, 'address', '0x0000000000000001'),
      // What an older service made, and the journal does not know.
      `insert into public.wallet (flow_address, flow_public_key, flow_private_key) values ('${SERVICE_ADDRESS}', '${stranger.publicKey}', '${vault.seal(stranger.privateKey, stranger.publicKey)}')`,
    ],
    () => look(),
  );
  expect(report).toMatchObject({ keys: USERS + 1, sound: USERS - 1, isWhole: true });
  expect(faultsIn(report)).toEqual({ 'not-opening': 1, 'other-public-key': 1, 'copy-differs': 2, 'not-on-chain': 1, 'key-not-present': 1 });
  const of = (wallet: Wallet): string[] => report.listed.filter((each) => each.authId === wallet.authId).map((each) => each.fault);
  expect([broken, bound, copied, moved, away].map(of)).toEqual([['not-opening'], ['other-public-key'], ['copy-differs'], ['not-on-chain'], ['copy-differs']]);
  // The account's row was changed and its copy was not: nothing is lost.
  expect(report.listed.find((each) => each.authId === broken.authId)?.mend).toContain('the copy in public.wallet opens');
  expect(report.listed.find((each) => each.accountId === null)).toMatchObject({ address: SERVICE_ADDRESS, fault: 'key-not-present' });
  for (const each of report.listed) expect(each.mend.length).toBeGreaterThan(10);
  expect(JSON.stringify(report)).not.toContain(other.privateKey);
});

it('with another master key it ends with 2, says so, and changes nothing', async () => {
  const before = await everything();
  const wrong = { ...env, WALLET_ENCRYPTION_KEY: randomBytes(32).toString('base64') };
  const ended = await runCommand(['keys', 'verify'], wrong);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toMatch(/encrypted under master key [0-9a-f]{8}, and the one that is set is [0-9a-f]{8}\n {2}mend: set WALLET_ENCRYPTION_KEY/);
  expect(await everything()).toEqual(before);
});

it('Ctrl-C ends it with 1 and what it has seen, and the audit log tells how many keys', async () => {
  const since = new Date().toISOString();
  const hold = world.stack.accessNode.faults.holdAnswers('script');
  const command = startCommand(['keys', 'verify', '--json'], env);
  await hold.delivered;
  command.kill('SIGINT');
  hold.release();
  const ended = await command.ended;
  expect(ended.code).toBe(1);
  expect(reportOf(ended)).toMatchObject({ whole: false });
  const entries = await sql<{ kind: string; detail: Record<string, unknown> }>('select kind, detail from wallet_sync.audit where at > $1 order by id', [since]);
  expect(entries.map((entry) => entry.kind)).toEqual(['key-opened', 'keys-compared']);
});

it('a node that does not answer ends it before a key is opened', async () => {
  const since = new Date().toISOString();
  const ended = await verify([], { ...env, FLOW_ACCESS_NODE: 'http://127.0.0.1:9' });
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(await sql('select from wallet_sync.audit where at > $1', [since])).toEqual([]);
});

it('a key that its owner has revoked is told', async () => {
  const wallet = wallets.at(-1)!;
  await actAs(world, wallet, REVOKE_KEY);
  const report = await look();
  expect(report.listed).toEqual([expect.objectContaining({ authId: wallet.authId, fault: 'key-not-present' })]);
  expect(report).toMatchObject({ sound: USERS, onChain: USERS - 1 });
});
