import { setTimeout as pause } from 'node:timers/promises';
import { toAppError } from '../errors.js';
import { readStatus } from '../journal/report.js';
import { onStopSignals } from '../shutdown.js';
import { startScreen } from './screen.js';
import { statusToText } from './status.js';
import { withJournal } from './withJournal.js';

export interface WatchOptions {
  readonly json: boolean;
  readonly intervalMs: number;
}

/**
 * `wallet-sync status --watch`: on a terminal in place, elsewhere a block each time (with --json a line), until SIGINT or SIGTERM. A database that
 * doesn't answer is shown as such, and asked again.
 */
export async function runStatusWatch({ json, intervalMs }: WatchOptions): Promise<void> {
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  const screen = startScreen({ inPlace: process.stdout.isTTY && !json });
  try {
    await withJournal(async (journal) => {
      while (!stop.signal.aborted) {
        const at = new Date();
        const shown = await readStatus(journal).then(
          (report) => (json ? JSON.stringify({ at, ...report }) : statusToText(report)),
          (thrown: unknown) => (json ? JSON.stringify({ at, error: toAppError(thrown).message }) : toAppError(thrown).explain()),
        );
        screen.show(json ? shown : `${at.toISOString().slice(0, 19)}Z, every ${intervalMs / 1_000} s; Ctrl-C ends\n\n${shown}`);
        await pause(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    });
  } finally {
    screen.stop();
  }
}
