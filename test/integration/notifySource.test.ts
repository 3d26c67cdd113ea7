import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.js';
import { sendHeartbeat } from '../../src/journal/canary.js';
import { createNotifySource, type NotifySourceOptions } from '../../src/streams/notifySource.js';
import { enterAsDaemon, layWire, listenTo, until, type Listener } from './streamParts.js';

let postgres: Postgres;
let daemon: Awaited<ReturnType<typeof enterAsDaemon>>;
let listener: Listener | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  daemon = await enterAsDaemon(postgres);
});
afterAll(async () => {
  await daemon?.journal.close();
  await postgres?.stop();
});
afterEach(async () => {
  listener?.stop();
  listener = undefined;
  await until('the LISTEN connection is closed', async () => (await backends()).length === 0);
});

const notify = (channel: string, payload: string) => postgres.query('postgres', 'select pg_notify($1, $2)', [channel, payload]);
const backends = () => postgres.query<{ pid: number }>('supabase_admin', "select pid from pg_stat_activity where application_name = 'wallet-sync listen'");

function listen(options: Partial<NotifySourceOptions> = {}): Listener {
  listener = listenTo((parts) =>
    createNotifySource({ connectionString: daemon.connectionString, sendHeartbeat: (nonce) => sendHeartbeat(daemon.journal, nonce), heartbeatEveryMs: 100, heartbeatWithinMs: 1_000, firstDelayMs: 50, capDelayMs: 200, ...parts, ...options }),
  );
  return listener;
}
async function listenUntilOk(options: Partial<NotifySourceOptions> = {}): Promise<Listener> {
  const made = listen(options);
  await until('the source is ok', () => made.state() === 'ok');
  return made;
}

describe('the NOTIFY source on a real Postgres', () => {
  it('asks for a catch-up when it listens and hears each channel', async () => {
    const { signals } = await listenUntilOk();
    expect(signals).toEqual([
      { kind: 'user', authId: null, source: 'reconnect' },
      { kind: 'control', command: null, senderPid: null, source: 'reconnect' },
    ]);
    const authId = randomUUID();
    await notify('wallet_sync', authId);
    await notify('wallet_sync_changed', '');
    await postgres.query('postgres', `notify wallet_sync_control, 'resync:${authId}'`);
    await until('three more signals', () => signals.length === 5);
    expect(signals[2]).toEqual({ kind: 'user', authId, source: 'notify' });
    expect(signals[3]).toMatchObject({ kind: 'control', command: null, source: 'control' });
    expect(signals[4]).toMatchObject({ kind: 'control', command: { name: 'resync', authId } });
  });

  it("keeps the pid of a command's sender", async () => {
    const { signals } = await listenUntilOk();
    const rows = await postgres.query<{ pid: number }>('postgres', "select pg_backend_pid() as pid, pg_notify('wallet_sync_control', 'pause')");
    await until('the command', () => signals.length === 3);
    expect(signals[2]).toEqual({ kind: 'control', command: { name: 'pause' }, senderPid: rows[0]!.pid, source: 'control' });
  });

  it('a malformed payload is logged, never whole, and dropped; what follows is heard', async () => {
    const { signals, lines } = await listenUntilOk();
    const authId = randomUUID();
    await notify('wallet_sync', 'x'.repeat(7_999));
    await notify('wallet_sync', '');
    await notify('wallet_sync_control', '{"name":"resync"}');
    await notify('wallet_sync', authId);
    await until('the good one', () => signals.length === 3);
    expect(signals[2]).toMatchObject({ authId });
    const dropped = lines.filter(({ msg }) => String(msg).endsWith('dropped'));
    expect(dropped.map(({ payload }) => (payload as { length: number }).length)).toEqual([7_999, 'undefined'.length, 17]);
    expect(dropped[2]).toMatchObject({ known: ['resync', 'resync:<auth_id>', 'pause', 'resume'] });
    expect(JSON.stringify(lines)).not.toContain('x'.repeat(65));
  });

  it('a terminated connection is made again, with a catch-up, again and again', async () => {
    const heard = await listenUntilOk();
    for (let cut = 1; cut <= 5; cut += 1) {
      await postgres.query('supabase_admin', "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'wallet-sync listen'");
      await until('another catch-up', () => heard.catchUps() === cut + 1);
      await until('ok again', () => heard.state() === 'ok');
    }
    expect(heard.healths.filter(({ state }) => state === 'down')).toHaveLength(5);
    const authId = randomUUID();
    await notify('wallet_sync', authId);
    await until('a user after the cuts', () => heard.signals.some((signal) => signal.kind === 'user' && signal.authId === authId));
  });

  it('a restart of the server is survived', async () => {
    const heard = await listenUntilOk();
    await postgres.restart();
    await until('a catch-up after the restart', () => heard.catchUps() >= 2);
    await until('ok again', () => heard.state() === 'ok');
  });

  it('a connection that went deaf without a word is found mute by its heartbeat and made again', async () => {
    const wire = await layWire(postgres.port);
    try {
      const connectionString = daemon.connectionString.replace(`:${postgres.port}/`, `:${wire.port}/`);
      const heard = await listenUntilOk({ connectionString });
      wire.deafen();
      await until('mute', () => heard.healths.some(({ state }) => state === 'mute'));
      await until('a catch-up on another connection', () => heard.catchUps() === 2);
      await until('ok again', () => heard.state() === 'ok');
      heard.stop();
    } finally {
      await wire.stop();
    }
  });

  it('where nobody can connect it is down, says why, and connects once it can', async () => {
    await postgres.query('supabase_admin', "create role late login password 'wrong'");
    const heard = listen({ connectionString: postgres.url('late', 'right') });
    await until('several attempts', () => heard.lines.length >= 4);
    expect(heard.state()).toBe('down');
    expect(heard.healths.at(-1)?.reason).toBe('password authentication failed for user "late"');
    expect(JSON.stringify(heard.lines)).not.toContain('right');
    await postgres.query('supabase_admin', "alter role late password 'right'");
    await until('ok', () => heard.state() === 'ok');
    heard.stop();
  });

  it('stopped while connecting, it leaves no connection', async () => {
    for (let i = 0; i < 5; i += 1) listen().stop();
    await until('no connection', async () => (await backends()).length === 0);
  });
});
