import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import getPort from 'get-port';
import { AppError } from '../src/errors.js';
import type { Binaries } from './postgresBinaries.js';
import type { Guard } from './guard.js';

/** logical: Realtime is fed by the change stream. track_commit_timestamp: latencies run from the database's own commit time. */
const SETTINGS = {
  wal_level: 'logical',
  track_commit_timestamp: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  lc_messages: 'C',
};

const READY = 'database system is ready to accept connections';
/** A start takes 30 ms; after a crash it replays its log first. */
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
const LOG_LINES = 20;

export interface Server {
  readonly port: number;
  pid(): number;
  /** Never resolves; rejects with an AppError when the server ends without having been asked to. */
  readonly died: Promise<never>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly binaries: Binaries;
  readonly folder: string;
  readonly guard: Guard;
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts the server on a free port and waits until it takes connections. Throws an AppError with the server's last lines. */
export async function startServer(options: ServerOptions): Promise<Server> {
  let reportDeath: (error: AppError) => void = () => undefined;
  const died = new Promise<never>((_, reject) => (reportDeath = reject));
  died.catch(() => undefined);

  let asked = false;
  let port = await getPort({ host: '127.0.0.1' });
  let child = await launch();

  /** Between finding a free port and taking it another process can have been faster: then another port, up to three times. */
  async function launch(): Promise<ChildProcess> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await launchOnce(options, port, (error) => { if (!asked) reportDeath(error); });
      } catch (error) {
        if (attempt === 3 || !String(error).includes('could not bind')) throw error;
        port = await getPort({ host: '127.0.0.1' });
      }
    }
  }

  async function end(): Promise<void> {
    asked = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGINT');
    const impatience = setTimeout(() => child.kill('SIGQUIT'), STOP_LIMIT_MS);
    const despair = setTimeout(() => child.kill('SIGKILL'), 2 * STOP_LIMIT_MS);
    await gone;
    clearTimeout(impatience);
    clearTimeout(despair);
  }

  return {
    port,
    died,
    pid: () => child.pid ?? 0,
    async restart() {
      await end();
      asked = false;
      child = await launchOnce(options, port, (error) => { if (!asked) reportDeath(error); });
    },
    stop: end,
  };
}

async function launchOnce(options: ServerOptions, port: number, onDeath: (error: AppError) => void): Promise<ChildProcess> {
  const flags = Object.entries({ ...SETTINGS, ...options.settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(options.binaries.postgres, ['-D', options.folder, '-p', String(port), ...flags], {
    ...options.binaries.owner,
    cwd: options.folder,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.pid !== undefined) options.guard.watch(child.pid);

  let lines: string[] = [];
  const failure = (what: string, cause?: unknown): AppError =>
    new AppError('internal', `${what}\n${lines.join('\n')}`, { where: 'embedded Postgres', cause });

  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill('SIGQUIT');
      reject(failure(`Postgres was not ready after ${START_LIMIT_MS} ms`));
    }, START_LIMIT_MS);
    let ready = false;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      lines = [...lines, ...text.split('\n').filter((line) => line !== '')].slice(-LOG_LINES);
      if (ready || !text.includes(READY)) return;
      ready = true;
      clearTimeout(limit);
      resolve();
    });
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(failure('Postgres could not be started', error));
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      const error = failure(`Postgres ended by itself (${signal ?? `status ${code}`})`);
      if (ready) onDeath(error);
      else reject(error);
    });
  });
  return child;
}
