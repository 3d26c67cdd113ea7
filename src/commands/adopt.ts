import { readEnvironment } from '../environment.js';
import { AppError } from '../errors.js';
import { adopt } from '../handlers/adopt/adopt.js';
import { createLog } from '../log.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { adoptToText } from './adoptText.js';
import { withInstance } from './openInstance.js';
import { print } from './output.js';
import { startProgress } from './progress.js';

export interface RunAdoptOptions {
  readonly dryRun: boolean;
  readonly missing: string;
  readonly withoutBlobs: boolean;
  readonly json: boolean;
}

/** `wallet-sync adopt`: takes over the wallets that an older service left. It stops between two pages at SIGTERM or SIGINT, and can be run again. */
export async function runAdopt({ dryRun, missing, withoutBlobs, json }: RunAdoptOptions): Promise<void> {
  if (missing !== 'leave' && missing !== 'provision') throw new AppError('usage', 'must be leave or provision', { where: '--missing' });
  const environment = readEnvironment();
  const settings = readSettings(environment);
  const progress = startProgress({ unit: 'wallets' });
  const level = environment['LOG_LEVEL'] === undefined ? 'warn' : settings.LOG_LEVEL;
  const log = createLog({ level, pretty: process.stderr.isTTY, destination: { write: (line) => progress.write(line) } });
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  try {
    // It sends nothing: the funding accounts are not registered for it.
    const report = await withInstance({ environment, settings, log, isReadOnly: true }, (instance) =>
      adopt(instance, {
        isDryRun: dryRun,
        missing,
        withoutBlobs,
        // Its text, not the 32 bytes that it may spell: the older service took it for a passphrase.
        passphrase: settings.ADOPT_ENCRYPTION_KEY ?? environment['WALLET_ENCRYPTION_KEY'] ?? '',
        signal: stop.signal,
        onProgress: progress.show,
      }),
    );
    progress.stop();
    print(json, { dry_run: dryRun, missing, ...report }, adoptToText(report, dryRun));
  } finally {
    progress.stop();
  }
}
