import { spawn } from 'node:child_process';
import { packagePath } from '../../src/packagePath.js';

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** What it has written to standard output so far. */
  stdout(): string;
  readonly ended: Promise<Ended>;
}

/** Starts `wallet-sync …` from dist/ as a process of its own, without a terminal and with exactly these settings. */
export function startCommand(args: readonly string[], env: Readonly<Record<string, string>>): Command {
  const child = spawn(process.execPath, [packagePath('dist', 'src', 'cli.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), stdout: () => stdout, ended };
}

/** Runs it to its end. */
export const runCommand = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> => startCommand(args, env).ended;
