import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAccessLog } from '../../../src/http/accessLog.js';
import type { RouteEnv } from '../../../src/http/deps.js';
import { createEventStream } from '../../../src/http/eventStream.js';
import type { ServiceStatus } from '../../../src/http/service.js';
import { eventFrame, MAX_QUEUED_BYTES } from '../../../src/http/streamClient.js';
import { createStreams, type Streams } from '../../../src/http/streams.js';
import type { Journal } from '../../../src/journal/pool.js';
import { readStatus } from '../../../src/journal/report.js';
import { createLog } from '../../../src/log.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';
import { until } from '../../support/daemonWorld.js';

let database: Database;
beforeAll(async () => {
  database = await startDatabase();
});
afterAll(() => database.stop());

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A real server with the event stream on the real journal, polling often, and the statements that it runs. */
async function serve(pollMs: number): Promise<{ url: string; port: number; streams: Streams; statements: string[] }> {
  const log = createLog({ level: 'silent' });
  const accessLog = createAccessLog(log);
  const statements: string[] = [];
  const journal: Journal = {
    ...database.journal,
    query: (text, values) => {
      statements.push(text);
      return database.journal.query(text, values);
    },
  };
  const streams = createStreams({ name: 'events', log, accessLog, maxClients: 100 });
  const service = { read: async () => ({ service: { now: '' }, status: await readStatus(journal) }) as ServiceStatus };
  const events = createEventStream({ journal, service, log, send: streams.send, size: () => streams.size, pollMs });
  const app = new Hono<RouteEnv>();
  app.get('/', (c) => streams.open(c, events.begin));
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server: Server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    events.stop();
    streams.stop();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, port, streams, statements };
}

/** A client that reads all it gets. */
async function read(url: string): Promise<{ text: () => string; bytes: () => number }> {
  const request = get(url);
  closers.push(() => request.destroy());
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const heard: string[] = [];
  let bytes = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (heard.length < 1_000) heard.push(chunk.toString());
  });
  return { text: () => heard.join(''), bytes: () => bytes };
}

/** Collects garbage, so that what is measured is what is held. */
function exposeGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const FEED = 'from public.wallet where id >';

/** What ten polls ask of the journal, from the next one on. */
async function statementsOfTenPolls(statements: string[]): Promise<number> {
  const polls = (): number[] => statements.flatMap((text, index) => (text.includes(FEED) ? [index] : []));
  const first = polls().length;
  await until(20_000, () => Promise.resolve(polls().length > first + 10));
  return polls()[first + 10]! - polls()[first]!;
}

describe('the event stream', () => {
  it('asks the journal the same for 50 clients as for one, and nothing once they have gone', async () => {
    const { url, streams, statements } = await serve(200);
    const one = await read(url);
    await until(10_000, () => Promise.resolve(one.text().includes('event: status')));
    const forOne = await statementsOfTenPolls(statements);
    const others = await Promise.all(Array.from({ length: 49 }, () => read(url)));
    await until(10_000, () => Promise.resolve(others.every((client) => client.text().includes('event: status'))));
    expect(streams.size).toBe(50);
    const forFifty = await statementsOfTenPolls(statements);
    expect(forOne).toBeGreaterThan(50);
    expect(forFifty).toBe(forOne);

    for (const close of closers.splice(1)) await close();
    await until(10_000, () => Promise.resolve(streams.size === 0));
    await new Promise((resolve) => setTimeout(resolve, 250));
    const atRest = statements.length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(statements.length).toBe(atRest);
  });

  it('tells every client each sign-up once, also one that commits after a later one', async () => {
    const { url } = await serve(50);
    const clients = await Promise.all([read(url), read(url), read(url)]);
    await until(10_000, () => Promise.resolve(clients.every((client) => client.text().includes('event: status'))));
    const [slow, quick] = [randomUUID(), randomUUID()];
    const held = await database.connect('supabase_auth_admin');
    await held.query('begin');
    await held.query(INSERT_USER, [slow]);
    await database.auth.query(INSERT_USER, [quick]);
    await until(10_000, () => Promise.resolve(clients.every((client) => client.text().includes(quick))));
    await held.query('commit');
    await until(10_000, () => Promise.resolve(clients.every((client) => client.text().includes(slow))));
    for (const client of clients) for (const id of [slow, quick]) expect(client.text().split(`event: sign-up\ndata: {"auth_id":"${id}"`)).toHaveLength(2);
  });

  it('disconnects a client that never reads, with its memory bounded, and the others get everything', async () => {
    const { url, port, streams } = await serve(60_000);
    const reader = await read(url);
    await until(10_000, () => Promise.resolve(reader.text().includes('event: status')));
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => undefined);
    silent.pause();
    closers.push(() => silent.destroy());
    silent.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await until(10_000, () => Promise.resolve(streams.size === 2));

    const offered = 64 * 1024 * 1024;
    const size = 16 * 1024;
    const before = reader.bytes();
    const collect = exposeGc();
    collect();
    const atRest = process.memoryUsage().arrayBuffers;
    let most = 0;
    let disconnectedAfter = 0;
    for (let sent = 0; sent < offered; sent += size) {
      streams.send(eventFrame('ready', 'x'.repeat(size)));
      if (disconnectedAfter === 0 && streams.size === 1) disconnectedAfter = sent;
      while (reader.bytes() - before < sent) await new Promise((resolve) => setImmediate(resolve));
      if (sent % (256 * size) !== 0) continue;
      // Twice: what the first frees is swept beside us.
      for (let times = 0; times < 2; times++) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      most = Math.max(most, process.memoryUsage().arrayBuffers - atRest);
    }
    await until(10_000, () => Promise.resolve(reader.bytes() - before >= offered));
    expect(streams.size).toBe(1);
    // What the kernel took for it, and the bound.
    expect(disconnectedAfter).toBeGreaterThan(0);
    expect(disconnectedAfter).toBeLessThan(16 * 1024 * 1024);
    expect(most).toBeLessThan(16 * 1024 * 1024 + MAX_QUEUED_BYTES);
  });
});
