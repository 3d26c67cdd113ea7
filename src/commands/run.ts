import { readEnvironment } from '../environment.js';
import { AppError, toAppError } from '../errors.js';
import type { FaultPort } from '../faultPoints.js';
import { loadFcl } from '../flow/fcl.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { startReactor } from '../reactor.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { refuseMainnet } from './connectChain.js';
import { finalText } from './finalText.js';
import { withInstance } from './openInstance.js';
import { requireFolders } from './requireFolders.js';
import { startClock } from './startClock.js';

/** `wallet-sync run`: checks its surroundings, listens, works off the backlog, until SIGTERM or SIGINT. */
export async function runDaemon(options: { migrate: boolean; faultPoints?: FaultPort }): Promise<void> {
  const clock = startClock();
  const stopped = onStopSignals();
  clock.step('signals');
  const environment = readEnvironment();
  const folderFault = await requireFolders(environment).then(() => null, toAppError);
  clock.step('folders');
  const settings = readSettings(environment);
  refuseMainnet(settings.NETWORK);
  clock.step('environment');
  // All faults of the settings come first: one of them may be the folder's.
  if (folderFault instanceof AppError) throw folderFault;
  const log = createLog({ level: settings.LOG_LEVEL });
  clock.tell((step, durationMs, sinceStartMs) => log.info({ step, durationMs, sinceStartMs }, 'start-up step done'));

  let isListening = false;
  const running = async (): Promise<void> => {
    if (options.migrate) {
      await migrate({ connectionString: environment.MIGRATE_DATABASE_URL || settings.DATABASE_URL, log });
      clock.step('migrations');
    }
    await withInstance({ environment, settings, log, onStep: clock.step, ...(options.faultPoints === undefined ? {} : { faultPoints: options.faultPoints }) }, async (instance) => {
      const reactor = await startReactor(instance, { onStep: clock.step });
      isListening = true;
      clock.step('listening');
      // 0.4 s to import: while nobody needs it yet, not in the first batch.
      void loadFcl();
      const signal = await stopped;
      log.info({ signal }, 'stopping');
      const end = await reactor.stop();
      if (process.stdout.isTTY) process.stdout.write(`${finalText(instance.statistics, end)}\n`);
    });
  };
  // A start that waits for a peer is not waited for: it has taken nothing yet that another could miss.
  const early = stopped.then((signal) => {
    if (isListening) return running$;
    log.info({ signal }, 'stopped before it was listening');
    return undefined;
  });
  const running$ = running();
  await Promise.race([running$, early]);
}
