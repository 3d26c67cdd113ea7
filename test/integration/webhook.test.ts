import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signUp, signUpMany } from '../../dev/signUp.js';
import { announce } from '../../src/handlers/announce.js';
import { createDelivery } from '../../src/handlers/webhook/deliver.js';
import { assignAccounts } from '../../src/journal/assignments.js';
import { readWebhooks } from '../../src/journal/webhooks.js';
import { createLog } from '../../src/log.js';
import { packagePath } from '../../src/packagePath.js';
import { fillPool } from '../support/accounts.js';
import { INSERT_USER, startDatabase, type Database } from '../support/database.js';
import { until } from '../support/daemonWorld.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhookReceiver.js';

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

let database: Database;
let receiver: WebhookReceiver;
let stopping: AbortController;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.asOwner("delete from wallet_sync.webhook; delete from wallet_sync.ready_told; delete from wallet_sync.ready_follower; update wallet_sync.control set assign = 'daemon'");
  receiver = await startWebhookReceiver(SECRET);
  stopping = new AbortController();
  // From now on.
  await tell();
});
afterEach(async () => {
  stopping.abort();
  await receiver.stop();
  await database.disconnect();
});

const settings = (): { NETWORK: 'emulator'; READY_NOTIFY: boolean; WEBHOOK_URL: string } => ({ NETWORK: 'emulator', READY_NOTIFY: false, WEBHOOK_URL: receiver.url });
const tell = (): Promise<boolean> => announce({ journal: database.journal, settings: settings() });
const log = createLog({ level: 'silent' });
/** As one more instance has it. */
const delivery = (options: { firstRetryMs?: number; timeoutMs?: number; leaseMs?: number; url?: string } = {}) =>
  createDelivery({ journal: database.journal, log, settings: settings(), now: Date.now }, { url: receiver.url, secret: SECRET, signal: stopping.signal, firstRetryMs: 30, ...options });

/** Signs so many users up and gives each a wallet. */
async function give(count: number): Promise<{ authId: string; address: string }[]> {
  const addresses = await fillPool(database.journal, count);
  await signUpMany(database.auth, count);
  const assigned = await assignAccounts(database.journal, { maxUsers: count, via: 'poll', heard: {} });
  expect(assigned.map(({ address }) => address).sort()).toEqual(addresses.toSorted());
  return assigned;
}
const states = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await database.asOwner<{ state: string; n: number }>('select state, count(*)::int as n from wallet_sync.webhook group by 1')).map((row) => [row.state, row.n]));
const ids = (): string[] => receiver.received.map(({ id }) => id);

it('a ready wallet is told with user, address, network and time, signed so that the format\'s own package takes it', async () => {
  const [given] = await give(1);
  expect(await tell()).toBe(true);
  await delivery()();
  expect(receiver.received).toHaveLength(1);
  expect(receiver.received[0]).toMatchObject({ isVerified: true, path: '/hooks/wallets', id: `ready_${given!.authId}_${given!.address}` });
  const body = JSON.parse(receiver.received[0]!.body) as { type: string; timestamp: string; data: Record<string, string> };
  expect(body).toEqual({ type: 'wallet.ready', timestamp: body.timestamp, data: { auth_id: given!.authId, address: given!.address, network: 'emulator', at: body.timestamp } });
  expect(Math.abs(Date.now() - Date.parse(body.timestamp))).toBeLessThan(60_000);
  expect(await states()).toEqual({ delivered: 1 });
});

it('what the sign-up itself gave is told too', async () => {
  await fillPool(database.journal, 1);
  await database.asOwner("update wallet_sync.control set assign = 'trigger'");
  const { authId } = await signUp(database.auth);
  await tell();
  await delivery()();
  expect(ids()).toEqual([expect.stringContaining(authId)]);
});

it('a wallet given by a transaction that stays open long is told once it commits, later ones before it, each once', async () => {
  await fillPool(database.journal, 1);
  await database.asOwner("update wallet_sync.control set assign = 'trigger'");
  const slow = await database.connect('supabase_auth_admin');
  await slow.query('begin');
  await slow.query(INSERT_USER, ['00000000-0000-4000-8000-000000000001']);
  await database.asOwner("update wallet_sync.control set assign = 'daemon'");
  const others = await give(3);
  for (let i = 0; i < 3; i += 1) await tell();
  expect(await states()).toEqual({ pending: 3 });
  await slow.query('commit');
  for (let i = 0; i < 3; i += 1) await tell();
  await delivery()();
  expect(ids()).toHaveLength(4);
  expect(new Set(ids()).size).toBe(4);
  expect(ids().some((id) => id.includes('00000000-0000-4000-8000-000000000001'))).toBe(true);
  expect(others.every(({ authId }) => ids().some((id) => id.includes(authId)))).toBe(true);
  await tell();
  expect(await database.asOwner('select count(*)::int as n from wallet_sync.ready_told')).toEqual([{ n: 0 }]);
});

it('after a restore, whose transaction numbers begin anew, what is given from then on is told', async () => {
  await database.asOwner("update wallet_sync.ready_follower set horizon = '1000000000'");
  await tell();
  const [given] = await give(1);
  await tell();
  await delivery()();
  expect(ids()).toEqual([expect.stringContaining(given!.authId)]);
});

it('after an HTTP 500 it comes again with the same id and the same body', async () => {
  receiver.answer((_, response, place) => void response.writeHead(place === 1 ? 500 : 204).end());
  await give(1);
  await tell();
  const deliver = delivery();
  await until(10_000, async () => (await deliver(), receiver.received.length === 2));
  await until(10_000, async () => (await states())['delivered'] === 1);
  const [first, second] = receiver.received;
  expect(second).toEqual(first);
  expect(second!.isVerified).toBe(true);
});

it('a refusal is failed at once, seen in the status, and not repeated', async () => {
  receiver.answer((_, response) => void response.writeHead(410).end());
  await give(1);
  await tell();
  await delivery()();
  await delivery()();
  expect(receiver.received).toHaveLength(1);
  expect(await readWebhooks(database.journal)).toEqual({ pending: 0, failed: 1, oldest_pending_s: null, last_error: 'HTTP 410' });
});

it('a redirect is not followed, and tried again', async () => {
  const elsewhere = await startWebhookReceiver(SECRET);
  receiver.answer((_, response) => void response.writeHead(307, { location: elsewhere.url }).end());
  await give(1);
  await tell();
  await delivery()();
  expect([receiver.received.length, elsewhere.received.length]).toEqual([1, 0]);
  expect(await readWebhooks(database.journal)).toMatchObject({ pending: 1, last_error: expect.stringContaining('redirects are not followed') as string });
  await elsewhere.stop();
});

it('Retry-After is honoured', async () => {
  receiver.answer((_, response) => void response.writeHead(429, { 'retry-after': '3600' }).end());
  await give(1);
  await tell();
  await delivery()();
  const [{ wait } = { wait: 0 }] = await database.asOwner<{ wait: number }>('select extract(epoch from next_at - clock_timestamp())::float as wait from wallet_sync.webhook');
  expect(wait).toBeGreaterThan(3_500);
});

it('an endless answer is cut, and one that never comes is given up: neither keeps a connection or the next message', async () => {
  receiver.answer((_, response, place) => {
    if (place === 2) return;
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
    response.once('close', () => clearInterval(timer));
  });
  await give(2);
  await tell();
  await delivery({ timeoutMs: 1_000, firstRetryMs: 60_000 })();
  expect(await states()).toEqual({ delivered: 1, pending: 1 });
  expect(await readWebhooks(database.journal)).toMatchObject({ last_error: 'no answer: no answer within 1 s' });
  await until(5_000, async () => (await receiver.connections()) === 0);
});

it('two instances deliver each message once, eight at a time each', async () => {
  let [now, most] = [0, 0];
  const held: (() => void)[] = [];
  receiver.answer((_, response) => {
    most = Math.max(most, (now += 1));
    held.push(() => ((now -= 1), response.writeHead(204).end()));
    // The first eight are held for a ninth, which only the other instance can send.
    if (most > 8) for (const answer of held.splice(0)) setTimeout(answer, 5);
  });
  await give(100);
  await Promise.all([tell(), tell()]);
  expect(await states()).toEqual({ pending: 100 });
  const [one, other] = [delivery(), delivery()];
  await until(20_000, async () => {
    await Promise.all([one(), other()]);
    return (await states())['delivered'] === 100;
  });
  expect(ids()).toHaveLength(100);
  expect(new Set(ids()).size).toBe(100);
  expect(most).toBeGreaterThan(8);
  expect(most).toBeLessThanOrEqual(16);
});

it('a stop breaks off what is under way, which is due again at once', async () => {
  receiver.answer(() => undefined);
  await give(1);
  await tell();
  const under = delivery()();
  await until(10_000, () => Promise.resolve(receiver.received.length === 1));
  stopping.abort();
  await under;
  stopping = new AbortController();
  receiver.answer((_, response) => void response.writeHead(204).end());
  await delivery()();
  expect(ids()).toEqual([ids()[0], ids()[0]]);
});

describe('an instance that is killed', () => {
  let child: ChildProcess | undefined;
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });
  const startProcess = (): ChildProcess => (child = spawn(process.execPath, ['--import', 'tsx', packagePath('test', 'support', 'webhookProcess.ts'), database.serviceUrl, receiver.url, SECRET], { stdio: 'ignore' }));

  it('between its request and the answer: the next one delivers it again with the same id', async () => {
    receiver.answer((_, response, place) => void (place === 1 ? child!.kill('SIGKILL') : response.writeHead(204).end()));
    const closed = once(startProcess(), 'close');
    const [given] = await give(1);
    await closed;
    expect(receiver.received).toHaveLength(1);
    expect(await states()).toEqual({ pending: 1 });
    const deliver = delivery();
    await until(10_000, async () => (await deliver(), (await states())['delivered'] === 1));
    expect(ids()).toEqual([`ready_${given!.authId}_${given!.address}`, `ready_${given!.authId}_${given!.address}`]);
  }, 60_000);
});

describe('NOTIFY wallet_sync_ready', () => {
  const notify = (): Promise<boolean> => announce({ journal: database.journal, settings: { READY_NOTIFY: true, WEBHOOK_URL: undefined } });

  it('tells each wallet once, many in one payload and each payload below 8,000 bytes, though two instances tell', async () => {
    await notify();
    const client = await database.connect('postgres');
    const payloads: string[] = [];
    client.on('notification', ({ payload }) => void payloads.push(payload ?? ''));
    await client.query('listen wallet_sync_ready');
    const given = await give(250);
    await Promise.all([notify(), notify()]);
    await notify();
    const told = (): { auth_id: string; address: string }[] => payloads.flatMap((payload) => (JSON.parse(payload) as { wallets: { auth_id: string; address: string }[] }).wallets);
    await until(10_000, async () => (await client.query('select 1'), told().length >= 250));
    const byUser = (a: { auth_id: string }, b: { auth_id: string }): number => (a.auth_id < b.auth_id ? -1 : 1);
    expect(told().sort(byUser)).toEqual(given.map(({ authId, address }) => ({ auth_id: authId, address })).sort(byUser));
    for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
    expect(payloads).toHaveLength(3);
  });

  it('is off unless it is asked for', async () => {
    await give(1);
    await announce({ journal: database.journal, settings: { READY_NOTIFY: false, WEBHOOK_URL: undefined } });
    expect(await database.asOwner("select from wallet_sync.ready_follower where name = 'notify'")).toEqual([]);
  });
});
