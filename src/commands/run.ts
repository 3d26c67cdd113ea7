import { readEnvironment } from '../environment.js';
import type { FaultPort } from '../faultPoints.js';
import { loadFcl } from '../flow/fcl.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
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
  const log = createLog({ level: settings.LOG_LEVEL });
  const onStep = startClock((name, durationMs) => log.info({ step: name, durationMs }, 'start-up step done'));

  refuseMainnet(settings.NETWORK);
  if (options.migrate) await migrate({ connectionString: environment.MIGRATE_DATABASE_URL || settings.DATABASE_URL, log });
  await withInstance({ environment, settings, log, onStep, ...(options.faultPoints === undefined ? {} : { faultPoints: options.faultPoints }) }, async (instance) => {
    // First, so that they see what happens from the start on.
    const metrics = createMetrics(instance);
    const recorder = startRecorder(instance, metrics.sample);
    const reactor = await startReactor(instance);
    // 0.4 s to import: while nobody needs it yet, not in the first batch.
    void loadFcl();
    onStep('listening');
    const signal = await stopped;
    log.info({ signal }, 'stopping');
    await reactor.stop();
    await within(RECORD_MS, recorder.stop());
    metrics.stop();
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
