import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand, type Ended } from '../../support/command.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
});
afterAll(() => world.stop());

const sql = (text: string, values: readonly unknown[] = []) => world.stack.postgres.query('postgres', text, values);
const walletSync = (...args: string[]): Promise<Ended> => runCommand(args, { DATABASE_URL: world.stack.env()['DATABASE_URL']! });
const stateOf = async (id: number) => (await sql('select state::text from wallet_sync.account where id = $1', [id]))[0]?.['state'];

/** Nothing but what rings makes it look: polls, sweeps and a pool are out of the way. */
const QUIET = { POOL_SIZE: '0', BACKLOG_POLL: '86400', REALTIME: 'off', CONFIG_EXPORT: 'off' };

async function insertAccount(state: 'prepared' | 'failed', publicKey: string, privateKey: string): Promise<number> {
  const vault = createVault(Buffer.from(world.stack.env()['WALLET_ENCRYPTION_KEY']!, 'base64'));
  const error = state === 'failed' ? ["'chain-state'", "'it failed'", "'look at it'"] : ['null', 'null', 'null'];
  const [row] = await sql(`insert into wallet_sync.account (state, public_key, private_key, error_kind, error, solution) values ($1, $2, $3, ${error.join(', ')}) returning id::int`, [state, publicKey, vault.seal(privateKey, publicKey)]);
  return row!['id'] as number;
}

it('a failed account whose cause is mended is made alone, at once, and its error is gone', async () => {
  const daemon = world.daemon(QUIET);
  await sourceIs(daemon, 'notify', 'ok');
  const pair = generateKeyPair();
  const id = await insertAccount('failed', pair.publicKey, pair.privateKey);
  const listed = await walletSync('status', '--failed');
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringMatching(new RegExp(`^account ${id} failed[^]*chain-state: it failed\\n {2}mend: look at it\\n[^]*wallet-sync retry ID`)) as string });
  expect(await walletSync('retry', `${id}`)).toMatchObject({ code: 0, stdout: expect.stringContaining(`Retried account ${id}.`) as string });
  const signUps = await world.signUps(1);
  await world.ready(signUps);
  expect(await sql('select state::text, auth_id, error_kind, error, solution, batch_max from wallet_sync.account where id = $1', [id])).toEqual([{ state: 'assigned', auth_id: signUps[0]!.authId, error_kind: null, error: null, solution: null, batch_max: null }]);
  expect(await sql('select count(*)::int as members from wallet_sync.member m where m.transaction_id = (select transaction_id from wallet_sync.member where account_id = $1)', [id])).toEqual([{ members: 1 }]);
  expect(await walletSync('retry', `${id}`)).toMatchObject({ code: 0, stdout: `Nothing to retry: account ${id} is assigned.\n` });
  await daemon.stop();
});

it('a failed account whose cause is not mended fails again, alone, and nobody waits for it', async () => {
  // No point of the curve: the chain refuses it each time.
  const id = await insertAccount('prepared', '11'.repeat(64), 'ab'.repeat(32));
  const daemon = world.daemon(QUIET);
  await sourceIs(daemon, 'notify', 'ok');
  await world.ready(await world.signUps(4));
  await until(30_000, async () => (await stateOf(id)) === 'failed');
  expect(JSON.parse((await walletSync('retry', '--all-failed', '--json')).stdout)).toEqual({ accounts: [id], users: [], wallets: [] });
  await world.ready(await world.signUps(2));
  await until(30_000, async () => (await stateOf(id)) === 'failed');
  // Once in a batch or alone, then alone.
  expect(await sql("select count(*)::int as failed from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id where m.account_id = $1 and t.state = 'failed' and (select count(*) from wallet_sync.member o where o.transaction_id = t.id) = 1", [id])).toEqual([{ failed: 2 }]);
  await daemon.stop();
});

it('a user who was set apart has his wallet at once when he is retried, by his id or with all others', async () => {
  const daemon = world.daemon(QUIET);
  await sourceIs(daemon, 'notify', 'ok');
  await walletSync('pause');
  await daemon.logged((line) => line.msg === 'paused');
  const [first, second] = await world.signUps(2);
  for (const { authId } of [first!, second!]) await sql("insert into wallet_sync.user_state (auth_id, state, reason, solution) values ($1, 'corrupted', 'his row refuses', 'mend the row')", [authId]);
  await walletSync('resume');
  await world.ready(await world.signUps(1));
  expect((await walletSync('status', '--failed')).stdout).toContain(`user ${first!.authId} was set apart`);
  expect(await walletSync('retry', first!.authId.toUpperCase())).toMatchObject({ code: 0, stdout: expect.stringContaining(`Retried user ${first!.authId}.`) as string });
  await world.ready([first!], 15_000);
  expect(await walletSync('retry', '--all-failed')).toMatchObject({ code: 0, stdout: expect.stringContaining('1 user') as string });
  await world.ready([second!], 15_000);
  expect(await walletSync('retry', first!.authId)).toMatchObject({ code: 0, stdout: `Nothing to retry: user ${first!.authId} is ready.\n` });
  expect(await world.duplicates()).toBe(0);
  await daemon.stop();
});

it('nothing failed: nothing to retry, and nothing listed', async () => {
  await sql("delete from wallet_sync.member where account_id in (select id from wallet_sync.account where state = 'failed')");
  await sql("delete from wallet_sync.account where state = 'failed'");
  expect(await walletSync('status', '--failed')).toMatchObject({ code: 0, stdout: 'Nothing has failed.\n' });
  expect(await walletSync('status', '--failed', '--json')).toMatchObject({ code: 0, stdout: '{"accounts":[],"users":[],"wallets":[]}\n' });
  expect(await walletSync('retry', '--all-failed')).toMatchObject({ code: 0, stdout: 'Nothing to retry: nothing has failed.\n' });
});

it.each<[string, string[], number, RegExp]>([
  ['no ID', [], 2, /^wallet-sync retry: give either an ID or --all-failed\n {2}mend: /],
  ['an ID and --all-failed', ['1', '--all-failed'], 2, /give either/],
  ['an ID that is none', ['alice'], 2, /^ID: is neither an account's number nor a user's id/],
  ['a negative number', ['-1'], 2, /neither/],
  ['an account that nobody knows', ['999999999'], 1, /^wallet_sync\.account: there is no account 999999999\n {2}mend: see `wallet-sync status --failed`/],
  ['a user whom nobody knows', ['00000000-0000-4000-8000-000000000000'], 1, /^public\.wallet: there is no user 00000000/],
])('%s is a clear error with its exit status', async (_, args, code, says) => {
  expect(await walletSync('retry', ...args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) as string });
});
