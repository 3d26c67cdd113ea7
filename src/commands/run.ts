import { readEnvironment } from '../environment.js';
import { AppError, toAppError } from '../errors.js';
import type { FaultPort } from '../faultPoints.js';
import { loadFcl } from '../flow/fcl.js';
import { startHttp } from '../http/server.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { createLogTail } from '../logTail.js';
import { startReactor } from '../reactor.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { refuseMainnet } from './connectChain.js';
import { withInstance } from './openInstance.js';

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
    // Before the rest: a port that is taken is known before anything is heard or made.
    const http = await startHttp({ instance, logTail, metricsText: notAvailable, readHistory: notAvailable, readResources: notAvailable, readiness });
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
    } finally {
      await http.stop();
    }
  });
}

const notAvailable = (): Promise<never> => Promise.reject(new AppError('network', 'not available', { where: 'this version', mend: 'update flow-wallet-sync' }));

/** Tells each step's name and how long it took since the one before, in milliseconds. */
function startClock(tell: (name: string, durationMs: number) => void): (name: string) => void {
  let last = performance.now();
  return (name) => {
    const now = performance.now();
    tell(name, Math.round(now - last));
    last = now;
  };
}
