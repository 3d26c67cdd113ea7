import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { AppError } from '../errors.js';
import { packagePath } from '../packagePath.js';

/** `wallet-sync demo`: runs the demo of a source checkout; it is no part of the installed program. Throws where it is not there. */
export async function runDemo(args: readonly string[]): Promise<void> {
  const script = packagePath('dist', 'dev', 'demo.js');
  if (!existsSync(script)) throw new AppError('usage', 'the demo is part of the source checkout only', { where: 'wallet-sync demo', mend: 'clone the repository and run `npm start`' });
  const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', forward).on('SIGINT', forward);
  const status = await new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  if (status !== 0) throw new AppError(status === 2 ? 'usage' : 'internal', `the demo ended with status ${status}`);
}
