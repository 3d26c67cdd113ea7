import { randomUUID } from 'node:crypto';
import { readEnvironment } from '../environment.js';
import { NO_FAULTS, type FaultPort } from '../faultPoints.js';
import { loadCadence } from '../flow/cadence.js';
import { loadFcl } from '../flow/fcl.js';
import { HOLD_MS } from '../flow/limiter.js';
import { registerFunders, requireFunders } from '../handlers/checkFunders.js';
import type { Instance } from '../handlers/instance.js';
import { createNodeHealth } from '../handlers/nodeHealth.js';
import { createStatistics } from '../handlers/statistics.js';
import { checkSchema, migrate } from '../journal/migrate.js';
import { openJournal } from '../journal/pool.js';
import { createRatePlaces } from '../journal/ratePlaces.js';
import { createLog } from '../log.js';
import { startReactor } from '../reactor.js';
import { createVault } from '../secrets.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { within } from '../waiting.js';
import { openChain, refuseMainnet } from './connectChain.js';

/** For each call to the access node; the shared limits rest on it too. */
const CALL_TIMEOUT_MS = 10_000;

/** `wallet-sync run`: checks its surroundings, listens, works off the backlog, until SIGTERM or SIGINT. */
export async function runDaemon(options: { migrate: boolean; faultPoints?: FaultPort }): Promise<void> {
  const stopped = onStopSignals();
  const environment = readEnvironment();
  const settings = readSettings(environment);
  const log = createLog({ level: settings.LOG_LEVEL });
  const step = startClock((name, durationMs) => log.info({ step: name, durationMs }, 'start-up step done'));

  refuseMainnet(settings.NETWORK);
  if (options.migrate) await migrate({ connectionString: environment.MIGRATE_DATABASE_URL || settings.DATABASE_URL, log });
  const journal = openJournal({ connectionString: settings.DATABASE_URL, log });
  try {
    await checkSchema(journal);
    step('database');
    const rates = { script: settings.SCRIPT_RPS, transaction: settings.TRANSACTION_RPS, event: settings.EVENT_RPS, read: settings.READ_RPS };
    const gate = settings.RATE_LIMIT_SCOPE === 'shared' ? { gate: createRatePlaces(journal, { rates, holdMs: HOLD_MS, callTimeoutMs: CALL_TIMEOUT_MS }) } : {};
    const statistics = createStatistics();
    const health = createNodeHealth({ log, onHealth: (now) => (statistics.accessNode = now) });
    const { network, node, requireNetwork } = openChain(settings, environment, { timeoutMs: CALL_TIMEOUT_MS, log, watch: health.watch, ...gate });
    await requireNetwork();
    step('access node');
    await requireFunders({ node, network });
    await registerFunders(journal, network);
    step('funding accounts');

    const instance: Instance = {
      id: randomUUID(),
      settings,
      journal,
      node,
      network,
      cadence: loadCadence(network),
      vault: createVault(settings.WALLET_ENCRYPTION_KEY),
      log,
      statistics,
      faultPoints: options.faultPoints ?? NO_FAULTS,
      now: Date.now,
    };
    const reactor = await startReactor(instance);
    // 0.4 s to import: while nobody needs it yet, not in the first batch.
    void loadFcl();
    step('listening');
    const signal = await stopped;
    log.info({ signal }, 'stopping');
    await reactor.stop();
    health.end();
    node.close();
  } finally {
    await within(3_000, journal.close());
  }
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
