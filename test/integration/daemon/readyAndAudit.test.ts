import { createHash } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Daemon } from '../../../dev/daemon.js';
import { signUp, type SignUp } from '../../../dev/signUp.js';
import { whenWalletIsReady } from '../../../docs/examples/whenWalletIsReady.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand, type Ended } from '../../support/command.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { actAs, DROP_VAULT } from '../../support/walletOwner.js';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhookReceiver.js';

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const USERS = 6;

let world: DaemonWorld;
let receiver: WebhookReceiver;
let daemon: Daemon;
let listener: pg.Client;
const notified: string[] = [];
const signUps: SignUp[] = [];
beforeAll(async () => {
  [world, receiver] = await Promise.all([startDaemonWorld({ funders: 3 }), startWebhookReceiver(SECRET)]);
  listener = new pg.Client({ connectionString: world.stack.postgres.url('postgres') });
  await listener.connect();
  listener.on('notification', ({ payload }) => void notified.push(payload ?? ''));
  await listener.query('listen wallet_sync_ready');
  receiver.answer((_, response, place) => void response.writeHead(place === 1 ? 500 : 204).end());
  daemon = world.daemon({ POOL_SIZE: '4', PKEY_FILES: 'on', READY_NOTIFY: 'on', WEBHOOK_URL: receiver.url, WEBHOOK_SECRET: SECRET });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
});
afterAll(async () => {
  await listener?.end();
  await world?.stop();
  await receiver?.stop();
});

const env = () => world.stack.env();
const sql = <Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values: readonly unknown[] = []) => world.stack.postgres.query<Row>('postgres', text, values);
const walletSync = (...args: string[]): Promise<Ended> => runCommand(args, { DATABASE_URL: env()['DATABASE_URL']! });
const auditOf = async (...args: string[]): Promise<{ kind: string; auth_id: string | null; detail: Record<string, unknown> }[]> => {
  const { code, stdout } = await walletSync('audit', '--json', ...args);
  expect(code).toBe(0);
  return stdout.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { kind: string; auth_id: string | null; detail: Record<string, unknown> });
};

/** supabase-js as a signed-in user's browser has it. The stand-in has no PostgREST: his reads of a row go to Postgres under his role. */
function clientOf(authId: string): SupabaseClient {
  const token = world.stack.gateway.userToken(authId);
  return createClient(env()['SUPABASE_URL']!, world.stack.gateway.anonKey, {
    accessToken: () => Promise.resolve(token),
    realtime: { transport: WebSocket as never },
    global: {
      fetch: async (input, init) => {
        const url = new URL(input instanceof Request ? input.url : input);
        if (!url.pathname.startsWith('/rest/v1/wallet')) return fetch(input, init);
        const client = new pg.Client({ connectionString: world.stack.postgres.url('authenticator') });
        await client.connect();
        await client.query('begin; set local role authenticated');
        await client.query("select set_config('request.jwt.claims', $1, true)", [JSON.stringify({ role: 'authenticated', sub: authId })]);
        const { rows } = await client.query('select flow_address from public.wallet where auth_id = $1', [url.searchParams.get('auth_id')!.replace('eq.', '')]);
        await client.end();
        return Response.json(rows);
      },
    },
  });
}

it('a signed-in user\'s supabase-js hears of his address through Realtime, with what docs/ready.md shows', async () => {
  await walletSync('pause');
  await daemon.logged((line) => line.msg === 'paused');
  const user = await signUp(world.stack.authPool);
  const other = await signUp(world.stack.authPool);
  signUps.push(user, other);
  const [client, stranger] = [clientOf(user.authId), clientOf(other.authId)];
  const addressHeard = whenWalletIsReady(client, user.authId);
  let foreign: string | null = null;
  // Somebody else's row is nothing that he may see.
  void whenWalletIsReady(stranger, user.authId).then((address) => (foreign = address));
  await until(20_000, () => Promise.resolve([client, stranger].every((each) => each.getChannels()[0]?.state === 'joined')));
  await walletSync('resume');
  await world.ready([user, other]);
  const [row] = await sql<{ flow_address: string }>('select flow_address from public.wallet where auth_id = $1', [user.authId]);
  expect(await addressHeard).toBe(row!.flow_address);
  // And where it is ready already.
  expect(await whenWalletIsReady(clientOf(user.authId), user.authId)).toBe(row!.flow_address);
  expect(foreign).toBe(null);
  await stranger.removeAllChannels();
}, 60_000);

it('NOTIFY and webhook tell each wallet, the webhook although its first message met an HTTP 500', async () => {
  signUps.push(...(await world.signUps(USERS - 2)));
  await world.ready(signUps);
  const wanted = (await sql<{ auth_id: string; flow_address: string }>('select auth_id, flow_address from public.wallet order by 1')).map((row) => ({ auth_id: row.auth_id, address: row.flow_address }));
  expect(wanted).toHaveLength(USERS);
  const byUser = (a: { auth_id: string }, b: { auth_id: string }): number => (a.auth_id < b.auth_id ? -1 : 1);
  const told = () => notified.flatMap((payload) => (JSON.parse(payload) as { wallets: { auth_id: string; address: string }[] }).wallets).sort(byUser);
  await until(20_000, async () => (await listener.query('select 1'), told().length >= USERS));
  expect(told()).toEqual(wanted);
  await until(30_000, async () => (await sql("select from wallet_sync.webhook where state = 'delivered'")).length === USERS);
  expect(receiver.received).toHaveLength(USERS + 1);
  expect(receiver.received.every((message) => message.isVerified)).toBe(true);
  const bodies = new Set(receiver.received.map(({ body }) => body));
  expect([...bodies].map((body) => (JSON.parse(body) as { data: { auth_id: string; address: string } }).data).map(({ auth_id, address }) => ({ auth_id, address })).sort(byUser)).toEqual(wanted);
});

it('the audit log tells of a user\'s wallet from its key to its repair, and of every key opened, why', async () => {
  const { authId } = signUps[0]!;
  await until(20_000, async () => (await sql("select from wallet_sync.audit where kind = 'key-exported'")).length >= USERS);
  const [row] = await sql<{ flow_address: string }>('select flow_address from public.wallet where auth_id = $1', [authId]);
  await actAs(world, { address: row!.flow_address }, DROP_VAULT);
  await walletSync('resync');
  await until(60_000, async () => (await sql("select from wallet_sync.audit where kind = 'wallet-repaired' and auth_id = $1", [authId])).length === 1);
  const kinds = (await auditOf('--user', authId)).map((entry) => entry.kind);
  expect(kinds.filter((kind) => kind.startsWith('key-'))).toEqual(['key-made', 'key-opened', 'key-exported', 'key-opened']);
  expect(kinds.slice(0, 3)).toEqual(['key-made', 'transaction-signed', 'transaction-sealed']);
  expect(kinds.slice(-4)).toEqual(['key-opened', 'transaction-signed', 'transaction-sealed', 'wallet-repaired']);
  expect(kinds.filter((kind) => kind === 'wallet-given')).toHaveLength(1);

  const opened = (await auditOf('--kind', 'key-opened')).map((entry) => `${entry.detail['why'] as string}${entry.auth_id === null ? '' : ` ${entry.auth_id}`}`);
  for (const each of signUps) expect(opened).toContain(`its key file for the Flow CLI ${each.authId}`);
  expect(opened).toContain('to sign its repair');
  expect(opened.some((why) => why.startsWith('a sweep compares'))).toBe(true);
  expect((await auditOf('--kind', 'keys-compared')).some((entry) => Number(entry.detail['keys']) === USERS)).toBe(true);
  expect(await auditOf('--kind', 'paused')).toMatchObject([{ detail: { by: expect.stringMatching(/.@./) as string } }]);
  expect((await walletSync('audit', '--since', '1h', '--limit', '2')).stdout.trim().split('\n')).toHaveLength(2);
  expect((await walletSync('audit', '--kind', 'nonsense')).code).toBe(2);
}, 90_000);

it('no key, password or secret is in the audit log, the webhook\'s messages or the notifications after all that', async () => {
  await daemon.stop();
  const keys = await sql<{ private_key: string; public_key: string }>('select private_key, public_key from wallet_sync.account');
  const masterKey = Buffer.from(env()['WALLET_ENCRYPTION_KEY']!, 'base64');
  const vault = createVault(masterKey);
  const secrets = [
    ...keys.flatMap((key) => [key.private_key, vault.open(key.private_key, key.public_key)]),
    env()['WALLET_ENCRYPTION_KEY']!, masterKey.toString('hex'), env()['SUPABASE_SERVICE_ROLE_KEY']!, new URL(env()['DATABASE_URL']!).password, SECRET, SECRET.slice(6),
  ];
  expect(secrets.length).toBeGreaterThan(2 * USERS);
  const rows = await sql<{ line: string }>('select a::text as line from wallet_sync.audit a union all select w::text from wallet_sync.webhook w');
  const text = [...rows.map((row) => row.line), ...receiver.received.map(({ body }) => body), ...notified].join('\n');
  expect(rows.length).toBeGreaterThan(30);
  for (const secret of secrets) expect(text.includes(secret), createHash('sha256').update(secret).digest('hex').slice(0, 8)).toBe(false);
  const [start] = await auditOf('--kind', 'started');
  expect(start!.detail).toMatchObject({ settings: { NETWORK: 'emulator', POOL_SIZE: 4, WALLET_ENCRYPTION_KEY: expect.stringMatching(/^[0-9a-f]{8}$/) as string, WEBHOOK_SECRET: expect.stringMatching(/^[0-9a-f]{8}$/) as string, WEBHOOK_URL: new URL(receiver.url).origin } });
});
