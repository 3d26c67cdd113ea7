import { execa } from 'execa';
import type { StatusReport } from '../../src/journal/report.js';
import { packagePath } from '../../src/packagePath.js';
import { until, type DaemonWorld } from '../support/daemonWorld.js';

export interface StatusAnswer {
  readonly exitCode: number | undefined;
  /** Null where it failed. */
  readonly report: StatusReport | null;
  /** What it wrote to standard error as JSON; null where it succeeded. */
  readonly error: unknown;
}

/** `wallet-sync status --json` as an operator runs it, in a process of its own. */
export async function askStatus(env: Readonly<Record<string, string>>): Promise<StatusAnswer> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [packagePath('dist', 'src', 'cli.js'), 'status', '--json'], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    extendEnv: false,
    reject: false,
  });
  return { exitCode, report: exitCode === 0 ? (JSON.parse(stdout) as StatusReport) : null, error: exitCode === 0 ? null : JSON.parse(stderr) };
}

/** Resolves with the first report that shows it, past every proxy. */
export async function statusShows(world: DaemonWorld, fits: (report: StatusReport) => boolean, withinMs = 30_000): Promise<StatusReport> {
  let last: StatusReport | null = null;
  await until(withinMs, async () => {
    ({ report: last } = await askStatus(world.stack.env()));
    return last !== null && fits(last);
  }).catch((error: Error) => {
    throw new Error(`${error.message}; status shows ${JSON.stringify(last)}`);
  });
  return last as unknown as StatusReport;
}

/** Whether a report's only instance says of its access node that it is so. */
export const nodeIs = (state: string) => (report: StatusReport): boolean => report.instances.length === 1 && report.instances[0]?.access_node?.state === state;
