import { randomUUID } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startGateway, type Gateway } from '../../dev/gateway/gateway.js';
import { startPostgres, type Postgres } from '../../dev/postgres.js';
import { sendCanary } from '../../src/journal/canary.js';
import { createRealtimeSource, type RealtimeSourceOptions } from '../../src/streams/realtimeSource.js';
import { enterAsDaemon, listenTo, until, type Listener } from './streamParts.js';

const instance = randomUUID();
let postgres: Postgres;
let daemon: Awaited<ReturnType<typeof enterAsDaemon>>;
let gateway: Gateway;
let client: SupabaseClient;
let listener: Listener | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  daemon = await enterAsDaemon(postgres);
  gateway = await startGateway({ postgres });
});
afterAll(async () => {
  await gateway?.stop();
  await daemon?.journal.close();
  await postgres?.stop();
});
afterEach(() => {
  listener?.stop();
  listener = undefined;
  gateway.faults.muteChanges(false);
  gateway.faults.refuseSockets(false);
});

/** Signs a user up; the trigger makes the wallet's row. */
async function signUp(): Promise<string> {
  const authId = randomUUID();
  await postgres.query('supabase_auth_admin', 'insert into auth.users (id) values ($1)', [authId]);
  return authId;
}

function listen(options: Partial<RealtimeSourceOptions> = {}): Listener {
  client = createClient(gateway.url, gateway.serviceRoleKey, { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: WebSocket as never } });
  const host = client;
  listener = listenTo((parts) =>
    createRealtimeSource({ client: host, sendCanary: (nonce) => sendCanary(daemon.journal, instance, nonce), canaryEveryMs: 200, canaryWithinMs: 1_500, joinWithinMs: 3_000, firstDelayMs: 50, capDelayMs: 300, ...parts, ...options }),
  );
  return listener;
}
async function listenUntilOk(options: Partial<RealtimeSourceOptions> = {}): Promise<Listener> {
  const made = listen(options);
  await until('the source is ok', () => made.state() === 'ok');
  return made;
}
const hears = (heard: Listener, authId: string) => heard.signals.some((signal) => signal.kind === 'user' && signal.authId === authId);

describe('the Realtime source through the real supabase-js', () => {
  it('is ok and asks for a catch-up when its canary came back; then inserted wallets ring', async () => {
    const heard = await listenUntilOk();
    expect(heard.signals).toEqual([{ kind: 'user', authId: null, source: 'reconnect' }]);
    const authId = await signUp();
    await until('the sign-up', () => hears(heard, authId));
    expect(heard.signals.filter(({ source }) => source === 'realtime')).toEqual([{ kind: 'user', authId, source: 'realtime' }]);
  });

  it('SUBSCRIBED and mute is reported as mute, never as ok, and no catch-up is asked for; unmuted it is ok with one', async () => {
    gateway.faults.muteChanges(true);
    const heard = listen();
    await until('mute', () => heard.state() === 'mute');
    await until('joined again and mute again', () => heard.lines.filter(({ msg }) => msg === 'Realtime failed').length >= 2);
    expect(heard.healths.map(({ state }) => state)).toEqual(['connecting', 'connecting', 'mute']);
    expect(heard.signals).toEqual([]);
    gateway.faults.muteChanges(false);
    await until('ok', () => heard.state() === 'ok');
    expect(heard.catchUps()).toBe(1);
  });

  it('a channel that goes mute later is found by its canary, and joined again with a catch-up', async () => {
    const heard = await listenUntilOk();
    gateway.faults.muteChanges(true);
    await until('mute', () => heard.state() === 'mute');
    const authId = await signUp();
    gateway.faults.muteChanges(false);
    await until('another catch-up', () => heard.catchUps() === 2);
    expect(heard.state()).toBe('ok');
    expect(hears(heard, authId)).toBe(false);
  });

  it('dropped sockets rejoin, again and again, each with a catch-up', async () => {
    const heard = await listenUntilOk();
    for (let drop = 1; drop <= 3; drop += 1) {
      gateway.faults.dropSockets();
      await until('another catch-up', () => heard.catchUps() === drop + 1);
    }
    const authId = await signUp();
    await until('a sign-up after the drops', () => hears(heard, authId));
    expect(heard.signals.filter((signal) => signal.kind === 'user' && signal.authId === authId)).toHaveLength(1);
  });

  it('refused sockets are down, tried for ever, and joined once they are accepted', async () => {
    gateway.faults.refuseSockets(true);
    const heard = listen();
    await until('several attempts', () => heard.lines.filter(({ msg }) => msg === 'Realtime failed').length >= 4);
    expect(heard.state()).toBe('down');
    gateway.faults.refuseSockets(false);
    await until('ok', () => heard.state() === 'ok');
  });

  it('a restart of the database is survived', async () => {
    const heard = await listenUntilOk();
    await postgres.restart();
    const authIds: string[] = [];
    // The change stream begins anew some time after the restart, and what was inserted before is not replayed.
    await until('a sign-up after the restart', async () => {
      authIds.push(await signUp());
      return authIds.some((authId) => hears(heard, authId));
    });
    await until('ok', () => heard.state() === 'ok');
  });

  it('stopped, it leaves no channel and no socket, also after rejoins', async () => {
    const heard = await listenUntilOk();
    gateway.faults.dropSockets();
    await until('another catch-up', () => heard.catchUps() === 2);
    expect(client.getChannels()).toHaveLength(1);
    heard.stop();
    await until('no channel, no socket', () => client.getChannels().length === 0 && client.realtime.connectionState() === 'closed');
  });

  it("another instance's canaries prove nothing", async () => {
    const heard = listen({ sendCanary: () => sendCanary(daemon.journal, randomUUID(), randomUUID()), canaryWithinMs: 600 });
    await until('mute', () => heard.state() === 'mute');
    expect(heard.signals).toEqual([]);
  });
});
