import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AppError } from '../src/errors.js';
import { packagePath } from '../src/packagePath.js';
import type { FaultPlan, Passing } from './faultPort.js';
import { startGuard } from './guard.js';

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface Daemon {
  readonly pid: number;
  /** All it has logged so far. */
  readonly lines: readonly LogLine[];
  /** Resolves with the first line, past or to come, that fits; rejects when the daemon ends before. */
  logged(fits: (line: LogLine) => boolean): Promise<LogLine>;
  kill(signal: NodeJS.Signals): void;
  /** How it ended: exit code (null where a signal ended it) and what it wrote to standard error. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<void>;
}

export interface DaemonOptions extends FaultPlan {
  readonly onLine?: (line: LogLine) => void;
}

/**
 * Starts `wallet-sync run` from dist/ as a process of its own, with exactly these settings. Its log is kept, and handed to `onLine`.
 * With `dieAt` it ends itself by SIGKILL there; with `holdAt` it logs `held at a fault point` and stays there.
 */
export function startDaemon(env: Readonly<Record<string, string>>, options: DaemonOptions = {}): Daemon {
  const child: ChildProcess = spawn(process.execPath, programOf(options), {
    // A group of its own: a terminal's Ctrl-C ends it through its parent, in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  });
  if (child.pid === undefined || child.stdout === null || child.stderr === null) throw new AppError('internal', 'the daemon did not start');
  const folder = mkdtempSync(join(tmpdir(), 'wallet-sync-daemon-'));
  const guard = startGuard({ folder, signal: 'TERM' });
  guard.watch(child.pid);

  const lines: LogLine[] = [];
  const listeners = new Set<(line: LogLine) => void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = parseLine(text);
    lines.push(line);
    options.onLine?.(line);
    for (const listener of listeners) listener(line);
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>((resolve) => {
    child.once('close', (code, signal) => {
      guard.release();
      rmSync(folder, { recursive: true, force: true });
      resolve({ code, signal, stderr });
    });
  });

  return {
    pid: child.pid,
    lines,
    ended,
    kill: (signal) => void child.kill(signal),
    logged: (fits) =>
      new Promise((resolve, reject) => {
        const past = lines.find(fits);
        if (past !== undefined) return resolve(past);
        const listener = (line: LogLine): void => {
          if (!fits(line)) return;
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
        void ended.then((end) => reject(new AppError('internal', `the daemon ended (${end.code ?? end.signal}) before it logged that\n${end.stderr}`)));
      }),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The product's own entry, but where a fault is planned. */
function programOf({ dieAt, holdAt }: FaultPlan): string[] {
  if (dieAt === undefined && holdAt === undefined) return [packagePath('dist', 'src', 'cli.js'), 'run'];
  const flags = (name: string, passing: Passing | undefined): string[] => (passing === undefined ? [] : [`--${name}-at`, passing.point, `--${name}-hit`, `${passing.hit ?? 1}`]);
  return [packagePath('dist', 'dev', 'faultyDaemon.js'), ...flags('die', dieAt), ...flags('hold', holdAt)];
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text };
  }
}
