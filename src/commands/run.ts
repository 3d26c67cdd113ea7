import { readEnvironment } from '../environment.js';
import { toAppError } from '../errors.js';
import type { FaultPort } from '../faultPoints.js';
import { loadFcl } from '../flow/fcl.js';
import { startHttp } from '../http/server.js';
import { readHistory } from '../journal/history.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { createLogTail } from '../logTail.js';
import { createMetrics } from '../metrics/metrics.js';
import { startRecorder } from '../metrics/recorder.js';
import { startReactor } from '../reactor.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { within } from '../waiting.js';
import { refuseMainnet } from './connectChain.js';
import { withInstance } from './openInstance.js';

/** The last minute is recorded in this time, or missing: a silent database must not hold a stop. */
const RECORD_MS = 1_000;

/** `wallet-sync run`: checks its surroundings, listens, works off the backlog, until SIGTERM or SIGINT. */
export async function runDaemon(options: { migrate: boolean; faultPoints?: FaultPort }): Promise<void> {
  const stopped = onStopSignals();
  const environment = readEnvironment();
  const settings = readSettings(environment);
  const logTail = createLogTail();
  const log = createLog({ level: settings.LOG_LEVEL, tail: logTail });
  const onStep = startClock((name, durationMs) => log.info({ step: name, durationMs }, 'start-up step done'));

  refuseMainnet(settings.NETWORK);
  if (options.migrate) await migrate({ connectionString: environment.MIGRATE_DATABASE_URL || settings.DATABASE_URL, log });
  await withInstance({ environment, settings, log, onStep, ...(options.faultPoints === undefined ? {} : { faultPoints: options.faultPoints }) }, async (instance) => {
    let isStopping = false;
    const readiness = (): string[] => (isStopping ? ['the instance is stopping'] : []);
    // First, so that they see what happens from the start on.
    const metrics = createMetrics(instance);
    const recorder = startRecorder(instance, metrics.sample);
    // Before the rest: a port that is taken is known before anything is heard or made.
    const http = await startHttp({ instance, logTail, metricsText: metrics.text, readHistory: (minutes) => readHistory(instance.journal, { minutes }), readResources: metrics.resources, readiness });
    try {
      const reactor = await startReactor(instance, { httpUrl: http.url });
      // 0.4 s and 0.1 s to import: while nobody needs it yet, not in the first batch or answer.
      void loadFcl()
        .then(() => http.warm())
        .catch((thrown: unknown) => log.error({ reason: toAppError(thrown).message }, 'code could not be loaded'));
      onStep('listening');
      const signal = await stopped;
      isStopping = true;
      log.info({ signal }, 'stopping');
      await reactor.stop();
      await within(RECORD_MS, recorder.stop());
    } finally {
      await http.stop();
      metrics.stop();
    }
  });
}

/** Tells each step's name and how long it took since the one before, in milliseconds. */
function startClock(tell: (name: string, durationMs: number) => void): (name: string) => void {
  let last = performance.now();
  return (name) => {
    const now = performance.now();
    tell(name, Math.round(now - last));
    last = now;
  };
}
