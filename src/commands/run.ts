import { randomUUID } from 'node:crypto';
import { readEnvironment } from '../environment.js';
import { AppError } from '../errors.js';
import { NO_FAULTS, type FaultPort } from '../faultPoints.js';
import { connectAccessNode } from '../flow/accessNode.js';
import { loadCadence } from '../flow/cadence.js';
import { loadFcl } from '../flow/fcl.js';
import { createLimiter, HOLD_MS } from '../flow/limiter.js';
import { loadNetwork } from '../flow/network.js';
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

/** For each call to the access node; the shared limits rest on it too. */
const CALL_TIMEOUT_MS = 10_000;

/** `wallet-sync run`: checks its surroundings, listens, works off the backlog, until SIGTERM or SIGINT. */
export async function runDaemon(options: { migrate: boolean; faultPoints?: FaultPort }): Promise<void> {
  const stopped = onStopSignals();
  const environment = readEnvironment();
  const settings = readSettings(environment);
  const log = createLog({ level: settings.LOG_LEVEL });
  const step = startClock((name, durationMs) => log.info({ step: name, durationMs }, 'start-up step done'));

  if (settings.NETWORK === 'mainnet') {
    throw new AppError('usage', 'this version sends nothing on mainnet: it has no spending limits', { where: 'NETWORK', mend: 'use testnet or emulator' });
  }
  if (options.migrate) await migrate({ connectionString: environment.MIGRATE_DATABASE_URL || settings.DATABASE_URL, log });
  const journal = openJournal({ connectionString: settings.DATABASE_URL, log });
  try {
    await checkSchema(journal);
    step('database');
    const network = loadNetwork({ flowJsonPath: settings.FLOW_JSON, network: settings.NETWORK, env: environment, ...(settings.FUNDING_ACCOUNTS === undefined ? {} : { fundingAccounts: settings.FUNDING_ACCOUNTS }) });
    const rates = { script: settings.SCRIPT_RPS, transaction: settings.TRANSACTION_RPS, event: settings.EVENT_RPS, read: settings.READ_RPS };
    const gate = settings.RATE_LIMIT_SCOPE === 'shared' ? { gate: createRatePlaces(journal, { rates, holdMs: HOLD_MS, callTimeoutMs: CALL_TIMEOUT_MS }) } : {};
    const limiter = createLimiter({ scriptRps: rates.script, transactionRps: rates.transaction, eventRps: rates.event, readRps: rates.read, ...gate });
    const url = settings.FLOW_ACCESS_NODE ?? network.accessNode;
    const statistics = createStatistics();
    const health = createNodeHealth({ log, onHealth: (now) => (statistics.accessNode = now) });
    const node = connectAccessNode({ url, limiter, timeoutMs: CALL_TIMEOUT_MS, log, watch: health.watch });
    const chainId = await node.chainId();
    if (chainId !== network.chainId) {
      throw new AppError('usage', `NETWORK is ${settings.NETWORK} (${network.chainId}), but the access node serves ${chainId}`, { where: new URL(url).host, mend: 'correct NETWORK or FLOW_ACCESS_NODE' });
    }
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
