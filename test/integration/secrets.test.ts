import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createVault } from '../../src/secrets.js';
import { runCommand } from '../support/command.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { everybody, type Wallet } from '../support/sweeps.js';
import { actAs, DROP_VAULT } from '../support/walletOwner.js';

const TOKEN = 'a-token-that-nobody-may-read';
const PATHS = ['/', '/healthz', '/readyz', '/metrics', '/api/status', '/api/cycles', '/api/history', '/api/funders', '/api/errors', '/api/resources', '/api/nothing', '/login'];

let world: DaemonWorld;
let wallets: Wallet[];
/** Everything that anybody can read, by where it was read. */
const texts = new Map<string, string>();

beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
  wallets = await everybody(world, 6);
});
afterAll(() => world?.stop());

const sql = <Row extends Record<string, unknown>>(text: string, values: readonly unknown[] = []) => world.stack.postgres.query<Row>('postgres', text, values);

/** Every secret there is, by what it is. */
async function secrets(): Promise<Map<string, string>> {
  const env = world.stack.env();
  const vault = createVault(Buffer.from(env['WALLET_ENCRYPTION_KEY']!, 'base64'));
  const accounts = await sql<{ id: string; public_key: string; private_key: string }>('select id, public_key, private_key from wallet_sync.account');
  const funders = ['funder-1', 'funder-2'].map((name): [string, string] => [`the key of ${name}`, readFileSync(join(dirname(env['FLOW_JSON']!), 'keys', `${name}.pkey`), 'utf8').trim()]);
  return new Map([
    ...accounts.flatMap((account): [string, string][] =>
      // One that was made here to fail has no key that opens.
      account.private_key.includes('no key') ? [] : [[`the private key of account ${account.id}`, vault.open(account.private_key, account.public_key)]],
    ),
    ...funders,
    ['the master key', env['WALLET_ENCRYPTION_KEY']!],
    ['the master key in hex', Buffer.from(env['WALLET_ENCRYPTION_KEY']!, 'base64').toString('hex')],
    ['the service role key', env['SUPABASE_SERVICE_ROLE_KEY']!],
    ["the database's password", new URL(env['DATABASE_URL']!).password],
    ["the page's token", TOKEN],
  ]);
}

/** What a stream has sent when it stays silent, or after so many bytes. */
async function readSome(url: string, bytes = 100_000): Promise<string> {
  const stop = new AbortController();
  const answer = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` }, signal: stop.signal });
  let text = '';
  const quiet = (): NodeJS.Timeout => setTimeout(() => stop.abort(), 3_000);
  let timer = quiet();
  try {
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk as Uint8Array).toString();
      clearTimeout(timer);
      timer = quiet();
      if (text.length > bytes) break;
    }
  } catch {
    // Ended by the timer.
  }
  clearTimeout(timer);
  stop.abort();
  return text;
}

it('no private key, master key, service role key, database password or token is in any log line, answer, metric, error or row of a full run', async () => {
  const env = world.stack.env();
  const daemon = world.daemon({ LOG_LEVEL: 'trace', POOL_SIZE: '5', HTTP_TOKEN: TOKEN });
  await sourceIs(daemon, 'notify', 'ok');
  const { url } = (await daemon.logged((line) => line.msg === 'http listening')) as unknown as { url: string };

  // A run with all that can happen: sign-ups, repairs, a row that does not add up, an account that fails, a node that refuses and dies.
  await actAs(world, wallets[0]!, DROP_VAULT);
  await sql("update public.wallet set flow_private_key = 'no key' where auth_id = $1", [wallets[1]!.authId]);
  await sql("insert into wallet_sync.account (state, public_key, private_key) values ('prepared', $1, 'no key')", ['11'.repeat(64)]);
  world.stack.accessNode.faults.answer(429, 2, 'script');
  world.stack.accessNode.faults.cut(2, 'transaction');
  await world.ready(await world.signUps(12));
  await sql('select wallet_sync.resync()');
  await daemon.logged((line) => line.msg === 'sweep done' && line['reason'] === 'resync');
  await until(30_000, async () => (await sql("select from wallet_sync.account where state = 'failed'")).length > 0);
  await sql('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', ['wallet_sync_service']);
  await world.ready(await world.signUps(2));

  for (const path of PATHS) texts.set(path, await (await fetch(url + path, { headers: { authorization: `Bearer ${TOKEN}` } })).text());
  texts.set('/metrics without a token', await (await fetch(`${url}/metrics`)).text());
  for (const path of ['/api/events', '/api/logs?level=trace&limit=2000']) texts.set(path, await readSome(url + path));
  const commands = ['status', 'status --failed', 'status --corrupted', 'orphans', 'funders list', 'audit', 'doctor', 'logs', 'reconcile --dry-run', 'keys verify', 'retry --all-failed', 'pause', 'resume', 'migrate'];
  for (const command of commands.flatMap((each) => [each, `${each} --json`])) {
    const { stdout, stderr } = await runCommand(command.split(' '), { ...env, HTTP_TOKEN: TOKEN });
    texts.set(`wallet-sync ${command}`, stdout + stderr);
  }
  // What is set wrongly is said without its value.
  const wrong: Record<string, string>[] = [
    { DATABASE_URL: env['DATABASE_URL']!.replace(/@.*/, '@127.0.0.1:9/postgres') },
    { DATABASE_URL: env['DATABASE_URL']!.replace(/\/postgres$/, '/nothing') },
    { DATABASE_URL: env['DATABASE_URL']!.replace('postgresql:', 'mysql:') },
    { WALLET_ENCRYPTION_KEY: `${env['WALLET_ENCRYPTION_KEY']!}x`, SUPABASE_URL: 'nothing' },
    { SUPABASE_URL: 'http://127.0.0.1:9' },
    { FLOW_ACCESS_NODE: 'http://127.0.0.1:9' },
  ];
  for (const settings of wrong) {
    for (const command of ['run', 'doctor']) {
      if (command === 'run' && settings['SUPABASE_URL'] === 'http://127.0.0.1:9') continue; // It runs without Realtime.
      const { stdout, stderr } = await runCommand([command], { ...env, HTTP_PORT: '0', ...settings });
      texts.set(`${command} with another ${Object.keys(settings).join()}`, stdout + stderr);
    }
  }
  await daemon.stop();
  texts.set('the log', daemon.lines.map((line) => JSON.stringify(line)).join('\n'));
  texts.set('standard error', (await daemon.ended).stderr);
  // What others read in the database: everything but the sealed keys.
  for (const table of ['audit', 'history', 'cycle', 'instance', 'transaction', 'user_state', 'apart', 'control']) {
    texts.set(`wallet_sync.${table}`, JSON.stringify(await sql(`select t::text from wallet_sync.${table} t`)));
  }

  const found: string[] = [];
  const all = await secrets();
  expect(all.size).toBeGreaterThan(20);
  for (const [where, text] of texts) {
    const lower = text.toLowerCase();
    for (const [name, secret] of all) {
      expect(secret.length, name).toBeGreaterThanOrEqual(16);
      if (text.includes(secret) || lower.includes(secret.toLowerCase())) found.push(`${name} is in ${where}`);
    }
  }
  expect(found).toEqual([]);
  // Otherwise nothing was read.
  for (const path of ['/metrics', '/api/status', '/api/logs?level=trace&limit=2000', 'the log', 'wallet-sync audit', 'wallet-sync doctor']) expect(texts.get(path)?.length, path).toBeGreaterThan(100);
}, 180_000);
