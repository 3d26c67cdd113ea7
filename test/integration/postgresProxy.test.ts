import { once } from 'node:events';
import { connect } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.js';
import { startPostgresProxy, type PostgresProxy } from '../../dev/postgresProxy.js';

const PATIENCE = { timeout: 30_000 };

let postgres: Postgres;
let proxy: PostgresProxy;
const clients: pg.Client[] = [];
beforeAll(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
  proxy = await startPostgresProxy(postgres);
  await postgres.query('postgres', 'create table public.mark (id bigint generated always as identity, name text)');
});
afterEach(async () => {
  proxy.faults.freeze(false);
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await postgres.query('postgres', 'delete from public.mark');
});
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

async function open(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: proxy.through(postgres.url('postgres')) });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const marks = async (): Promise<string[]> => (await postgres.query<{ name: string }>('postgres', 'select name from public.mark order by id')).map((row) => row.name);
const mark = (client: pg.Client, name: string): Promise<unknown> => client.query('insert into public.mark (name) values ($1)', [name]);
const processOf = async (client: pg.Client): Promise<number> => (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
const isThere = async (pid: number): Promise<boolean> => (await postgres.query('postgres', 'select from pg_stat_activity where pid = $1', [pid])).length === 1;

/** Whether it has not come to its end while Postgres itself answered twenty times. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const ended = promise.then(() => false, () => false);
  for (let i = 0; i < 20; i++) await postgres.query('postgres', 'select 1');
  return Promise.race([ended, Promise.resolve(true)]);
}

it('frozen, statements reach nobody, of old connections and new; released, all bytes flow in order', async () => {
  const [client, other] = [await open(), await open()];
  proxy.faults.freeze(true);
  // Far more than one chunk.
  const long = Array.from({ length: 200_000 }, (_, i) => `${i}`).join(' ');
  const late = Promise.all([mark(client, long), mark(other, 'short')]);
  const coming = open();
  expect(await isOpen(Promise.race([late, coming]))).toBe(true);
  expect(await marks()).toEqual([]);
  proxy.faults.freeze(false);
  await late;
  // Compared as a whole, since a difference would be printed.
  expect((await marks()).sort().join() === [long, 'short'].join()).toBe(true);
  await mark(await coming, 'new');
  expect(await marks()).toContain('new');
});

it('frozen, a new connection is accepted and hears nothing', async () => {
  proxy.faults.freeze(true);
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'connect');
  // An SSLRequest, which Postgres answers with one byte.
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
  const heard = once(socket, 'data');
  expect(await isOpen(heard)).toBe(true);
  proxy.faults.freeze(false);
  expect(String((await heard)[0])).toBe('N');
  socket.destroy();
});

it('frozen, an answer that Postgres has given stays on its way', async () => {
  const client = await open();
  const pid = await processOf(client);
  const holder = new pg.Client({ connectionString: postgres.url('postgres') });
  await holder.connect();
  await holder.query('select pg_advisory_lock(7)');
  const waiting = client.query('select pg_advisory_lock(7)');
  const state = async (): Promise<unknown> => (await postgres.query('postgres', 'select state, wait_event_type from pg_stat_activity where pid = $1', [pid]))[0];
  await expect.poll(state, PATIENCE).toEqual({ state: 'active', wait_event_type: 'Lock' });
  proxy.faults.freeze(true);
  await holder.end();
  await expect.poll(state, PATIENCE).toMatchObject({ state: 'idle' });
  expect(await isOpen(waiting)).toBe(true);
  proxy.faults.freeze(false);
  await waiting;
});

it('frozen, what a client sent before it died arrives on release, and only then its session ends', async () => {
  const client = new pg.Client({ connectionString: proxy.through(postgres.url('postgres')) });
  client.on('error', () => undefined);
  await client.connect();
  const pid = await processOf(client);
  proxy.faults.freeze(true);
  const lost = mark(client, 'last words').catch(() => undefined);
  // pg writes at once; destroyed as a killed process's socket is.
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  await lost;
  for (let i = 0; i < 20; i++) expect([await marks(), await isThere(pid)]).toEqual([[], true]);
  proxy.faults.freeze(false);
  await expect.poll(marks, PATIENCE).toEqual(['last words']);
  await expect.poll(() => isThere(pid), PATIENCE).toBe(false);
});

it('cuts only connections that listen, once, and they may come back', async () => {
  const [worker, listener] = [await open(), await open()];
  await listener.query('LISTEN bell');
  const cut = new Promise((resolve) => listener.once('end', resolve));
  proxy.faults.cutListeners();
  await cut;
  await mark(worker, 'still here');
  const back = await open();
  const rung = once(back, 'notification');
  await back.query('LISTEN bell');
  await worker.query('notify bell');
  await rung;
  expect(await marks()).toEqual(['still here']);
});
