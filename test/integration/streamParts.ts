import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Observable } from 'rxjs';
import type { Postgres } from '../../dev/postgres.js';
import { migrate } from '../../src/journal/migrate.js';
import { openJournal, type Journal } from '../../src/journal/pool.js';
import { createLog, type Log } from '../../src/log.js';
import type { OnHealth, SourceHealth } from '../../src/streams/health.js';
import type { Signal } from '../../src/streams/signal.js';

/** Resolves when `fact` holds, asked each 10 ms; rejects after `withinMs`, saying what was awaited. */
export async function until(what: string, fact: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await fact())) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Applies the migrations and opens the daemon's connections, as its own least-privilege role. */
export async function enterAsDaemon(postgres: Postgres): Promise<{ readonly connectionString: string; readonly journal: Journal }> {
  const log = createLog({ level: 'silent', destination: { write: () => undefined } });
  await migrate({ connectionString: postgres.url('postgres'), log });
  const password = randomBytes(8).toString('hex');
  await postgres.query('postgres', `alter role wallet_sync_service login password '${password}'`);
  const connectionString = postgres.url('wallet_sync_service', password);
  return { connectionString, journal: openJournal({ connectionString, log }) };
}

export interface Listener {
  readonly signals: Signal[];
  readonly healths: SourceHealth[];
  /** The lines logged so far. */
  readonly lines: Record<string, unknown>[];
  state(): string | undefined;
  /** How many catch-ups for users were asked for. */
  catchUps(): number;
  stop(): void;
}

/** Subscribes to a source and keeps what it says. A source that errors or completes has broken its promise: `signals` then throws. */
export function listenTo(createSource: (parts: { log: Log; onHealth: OnHealth }) => Observable<Signal>): Listener {
  const signals: Signal[] = [];
  const healths: SourceHealth[] = [];
  const lines: Record<string, unknown>[] = [];
  let broken: unknown = null;
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) } });
  const subscription = createSource({ log, onHealth: (health) => void healths.push(health) }).subscribe({
    next: (signal) => void signals.push(signal),
    error: (error: unknown) => (broken = error),
    complete: () => (broken = new Error('the source completed')),
  });
  return {
    get signals() {
      if (broken !== null) throw broken;
      return signals;
    },
    healths,
    lines,
    state: () => healths.at(-1)?.state,
    catchUps: () => signals.filter(({ kind, source }) => kind === 'user' && source === 'reconnect').length,
    stop: () => subscription.unsubscribe(),
  };
}

export interface Wire {
  readonly port: number;
  /** Cuts nothing and says nothing: what goes through the connections that are open at this moment is dropped from here on. */
  deafen(): void;
  stop(): Promise<void>;
}

/** A wire to a local port that can go deaf, as a connection does whose other end vanished without a word. */
export async function layWire(target: number): Promise<Wire> {
  const pairs = new Map<Socket, Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    pairs.set(near, far);
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(near);
        near.destroy();
        far.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    deafen: () => {
      for (const socket of [...pairs].flat()) socket.removeAllListeners('data').resume();
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of [...pairs].flat()) socket.destroy();
      await closed;
    },
  };
}
