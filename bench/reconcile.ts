import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AppError } from '../src/errors.js';
import { startGuard } from '../dev/guard.js';

export interface ReconcileEnd {
  /** Null where a signal ended it. */
  readonly code: number | null;
  /** The last JSON object that it printed; null where it printed none. */
  readonly answer: Readonly<Record<string, unknown>> | null;
  /** The last lines of its standard error. */
  readonly tail: string;
}

export interface Reconcile {
  readonly pid: number;
  readonly ended: Promise<ReconcileEnd>;
  /** Ends it at once if it still runs, and waits for that. */
  kill(): Promise<void>;
}

const TAIL_LINES = 20;

/**
 * Starts `wallet-sync reconcile --json` as a process of its own, with exactly these settings. `folder` goes with this process, however it
 * ends, and so does the other one.
 */
export function startReconcile(options: { cli: string; env: Readonly<Record<string, string>>; folder: string; nodeArgs?: readonly string[] }): Reconcile {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.cli, 'reconcile', '--json'], {
    // A group of its own: a terminal's Ctrl-C ends it through its parent, in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...options.env },
  });
  if (child.pid === undefined) throw new AppError('internal', 'reconcile did not start', { where: options.cli });
  const guard = startGuard({ folder: options.folder, signal: 'KILL' });
  guard.watch(child.pid);

  let answer: ReconcileEnd['answer'] = null;
  let tail: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => (answer = parseObject(line) ?? answer));
  createInterface({ input: child.stderr }).on('line', (line) => (tail = [...tail, line].slice(-TAIL_LINES)));
  const ended = new Promise<ReconcileEnd>((resolve) => {
    child.once('close', (code) => {
      guard.release();
      resolve({ code, answer, tail: tail.join('\n') });
    });
  });
  return {
    pid: child.pid,
    ended,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
