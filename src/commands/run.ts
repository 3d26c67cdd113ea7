import { readEnvironment } from '../environment.js';
import { AppError, toAppError } from '../errors.js';
import type { FaultPort } from '../faultPoints.js';
import { loadFcl } from '../flow/fcl.js';
import { startHttp } from '../http/server.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { createLogTail } from '../logTail.js';
import { createMetrics } from '../metrics/metrics.js';
import { startRecorder } from '../metrics/recorder.js';
import { startReactor, type Reactor } from '../reactor/reactor.js';
import { readMigrationUrl, readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { insecureConnections } from '../transport.js';
import { within } from '../waiting.js';
import { finalText } from './finalText.js';
import { withInstance } from './openInstance.js';
import { requireFolders } from './requireFolders.js';
import { startClock } from './startClock.js';

/** The last minute is recorded in this time, or missing: a silent database must not hold a stop. */
const RECORD_MS = 1_000;

/** `wallet-sync run`: checks its surroundings, listens, works off the backlog, until SIGTERM or SIGINT. */
export async function runDaemon(options: { migrate: boolean; faultPoints?: FaultPort }): Promise<void> {
  const clock = startClock();
  const stopped = onStopSignals();
  clock.step('signals');
  const environment = readEnvironment();
  const folderFault = await requireFolders(environment).then(() => null, toAppError);
  clock.step('folders');
  const settings = readSettings(environment);
  const migration = options.migrate ? readMigrationUrl(environment) : null;
  clock.step('environment');
  // All faults of the settings come first: one of them may be the folder's.
  if (folderFault instanceof AppError) throw folderFault;
  const logTail = createLogTail();
  const log = createLog({ level: settings.LOG_LEVEL, tail: logTail });
  clock.tell((step, durationMs, sinceStartMs) => log.info({ step, durationMs, sinceStartMs }, 'start-up step done'));

  for (const connection of insecureConnections(environment)) log.warn(connection, 'insecure connection, as INSECURE_TRANSPORT allows');

  let isListening = false;
  const running = async (): Promise<void> => {
    if (migration !== null) {
      await migrate({ connectionString: migration.url, setting: migration.setting, log });
      clock.step('migrations');
    }
    await withInstance({ environment, settings, log, onStep: clock.step, ...(options.faultPoints === undefined ? {} : { faultPoints: options.faultPoints }) }, async (instance) => {
      let isStopping = false;
      let reactor: Reactor | null = null;
      const readiness = (): string[] => [...(isStopping ? ['the instance is stopping'] : []), ...(reactor?.troubles() ?? [])];
      // First, so that they see what happens from the start on.
      const metrics = createMetrics(instance);
      const recorder = startRecorder(instance, metrics.sample);
      // Before the rest: a port that is taken is known before anything is heard or made.
      const http = await startHttp({ instance, logTail, metricsText: metrics.text, readResources: metrics.resources, readiness });
      try {
        reactor = await startReactor(instance, { onStep: clock.step, httpUrl: http.url });
        isListening = true;
        clock.step('listening');
        // 0.4 s and 0.1 s to import: while nobody needs it yet, not in the first batch or answer.
        void loadFcl()
          .then(() => http.warm())
          .catch((thrown: unknown) => log.error({ reason: toAppError(thrown).message }, 'code could not be loaded'));
        const signal = await stopped;
        isStopping = true;
        log.info({ signal }, 'stopping');
        const end = await reactor.stop();
        await within(RECORD_MS, recorder.stop());
        if (process.stdout.isTTY) process.stdout.write(`${finalText(instance.statistics, end)}\n`);
      } finally {
        await http.stop();
        metrics.stop();
      }
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
