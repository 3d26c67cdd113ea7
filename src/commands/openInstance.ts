import { randomUUID } from 'node:crypto';
import { NO_FAULTS, type FaultPort } from '../faultPoints.js';
import { loadCadence } from '../flow/cadence.js';
import { createAuditedVault, type AuditedVault } from '../handlers/auditedVault.js';
import { registerFunders, requireFunders } from '../handlers/checkFunders.js';
import type { Instance } from '../handlers/instance.js';
import { limitsOf } from '../handlers/limits.js';
import { createNodeHealth } from '../handlers/nodeHealth.js';
import { registerMasterKey, requireMasterKeys } from '../handlers/requireMasterKeys.js';
import { createStatistics } from '../handlers/statistics.js';
import { saveBalances } from '../journal/balances.js';
import { offerLimits } from '../journal/limits.js';
import { checkSchema } from '../journal/migrate.js';
import { openJournal, type Db } from '../journal/pool.js';
import type { Log } from '../log.js';
import { openMasterKeys } from '../masterKey/openMasterKey.js';
import type { Environment, Settings } from '../settings.js';
import { createTelemetry } from '../telemetry/events.js';
import { within } from '../waiting.js';
import { openChain } from './connectChain.js';
import { openSharedGate } from './sharedGate.js';

/** For each call to the access node; the shared limits rest on it too. */
const CALL_TIMEOUT_MS = 10_000;
/** A silent database must not hold an end. */
const CLOSE_MS = 1_500;

export interface OpenInstanceOptions {
  readonly environment: Environment;
  readonly settings: Settings;
  readonly log: Log;
  readonly faultPoints?: FaultPort;
  /** It only looks: nothing is written. Default: false. */
  readonly isReadOnly?: boolean;
  /** Called after each step with its name. */
  readonly onStep?: (name: string) => void;
}

/**
 * Opens what an instance works with, runs `work` and closes it again. Checks database, access node and funding accounts first; throws
 * `usage` for what is set wrongly. A master key that is not the database's is found before anything is written.
 */
export async function withInstance<T>(options: OpenInstanceOptions, work: (instance: Instance) => Promise<T>): Promise<T> {
  const { environment, settings, log } = options;
  const onStep = options.onStep ?? (() => undefined);
  const journal = openJournal({ connectionString: settings.DATABASE_URL, log });
  try {
    // The database, the chain and what holds the master keys are asked beside each other; what is wrong with the database is said first.
    const id = randomUUID();
    const schema = checkSchema(journal);
    const ring = openRing(settings, { journal, instanceId: id }, schema);
    ring.catch(() => undefined);
    schema.catch(() => undefined);
    const statistics = createStatistics();
    const telemetry = createTelemetry(log);
    const health = createNodeHealth({ log, onHealth: (now) => (statistics.accessNode = now) });
    const { network, node, requireNetwork } = await openChain(settings, environment, {
      timeoutMs: CALL_TIMEOUT_MS,
      log,
      watch: health.watch,
      onStart: (call, waitedMs) => telemetry.emit({ kind: 'limiter-waited', call, waitedMs }),
      onCall: ({ kind: call, ...end }) => telemetry.emit({ kind: 'call-done', peer: 'access-node', call, ...end }),
      ...openSharedGate(settings, journal, CALL_TIMEOUT_MS),
    });
    try {
      // The shared limits are the database's, and nothing is written there under a wrong master key.
      if (settings.RATE_LIMIT_SCOPE === 'shared') await ring;
      const chain = requireNetwork();
      let askedAt = performance.now();
      const funders = chain.then(() => {
        askedAt = performance.now();
        return requireFunders({ node, network });
      });
      funders.catch(() => undefined);
      await schema;
      onStep('database');
      await chain;
      onStep('Flow configuration');
      const balances = await funders;
      const vault = await ring;
      if (options.isReadOnly !== true) {
        await registerMasterKey(journal, vault);
        await registerFunders(journal, network);
        // A command that sends before any daemon has started is bound too.
        await offerLimits(journal, limitsOf(settings));
        await saveBalances(journal, balances, performance.now() - askedAt);
      }
      onStep('funding accounts');
      return await work({
        id,
        settings,
        journal,
        node,
        network,
        cadence: loadCadence(network),
        vault,
        log,
        statistics,
        telemetry,
        faultPoints: options.faultPoints ?? NO_FAULTS,
        now: Date.now,
      });
    } finally {
      health.end();
      node.close();
    }
  } finally {
    await within(CLOSE_MS, journal.close());
  }
}

/** The vault of the settings' master keys, once they are known to be the database's. */
async function openRing(settings: Settings, parts: { readonly journal: Db; readonly instanceId: string }, schema: Promise<unknown>): Promise<AuditedVault> {
  const vault = createAuditedVault({ ...(await openMasterKeys(settings)), ...parts });
  await schema;
  await requireMasterKeys(parts.journal, vault);
  return vault;
}
