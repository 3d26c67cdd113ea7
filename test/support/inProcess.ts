import { randomUUID } from 'node:crypto';
import type { Stack } from '../../dev/stack.js';
import { NO_FAULTS } from '../../src/faultPoints.js';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork, type Network } from '../../src/flow/network.js';
import { createAuditedVault } from '../../src/handlers/auditedVault.js';
import { createBatchSize } from '../../src/handlers/batchSize.js';
import { registerFunders } from '../../src/handlers/checkFunders.js';
import { createFollower, type TransactionFollower } from '../../src/handlers/followTransactions.js';
import type { Instance } from '../../src/handlers/instance.js';
import { createMaker, type Maker } from '../../src/handlers/makeAccounts.js';
import { createPace } from '../../src/handlers/pace.js';
import { createSettlers } from '../../src/handlers/settlers.js';
import { createStatistics } from '../../src/handlers/statistics.js';
import { heartbeat } from '../../src/journal/instances.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';
import { openMasterKey } from '../../src/masterKey/openMasterKey.js';
import { readSettings } from '../../src/settings.js';
import { createTelemetry } from '../../src/telemetry/events.js';

/** An instance inside the test's process, on the real stack: the handlers without the reactor's timers and doorbells. */
export interface InProcess {
  readonly instance: Instance;
  readonly follower: TransactionFollower;
  readonly maker: Maker;
  /** Off: it records and follows, and broadcasts nothing. On at first. */
  setSending(on: boolean): void;
  stop(): Promise<void>;
}

export interface InProcessOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** What it takes for its network. Default: flow.json's. */
  readonly network?: (network: Network) => Network;
}

/** Starts one: its slots are registered, and it says once that it lives. */
export async function startInProcess(stack: Stack, options: InProcessOptions = {}): Promise<InProcess> {
  const settings = readSettings({ ...stack.env(), POOL_SIZE: '0', ...options.settings });
  const log = createLog({ level: 'silent' });
  const journal = openJournal({ connectionString: settings.DATABASE_URL, log });
  const fromFile = await loadNetwork({ flowJsonPath: settings.FLOW_JSON, network: settings.NETWORK, env: {} });
  const network = options.network?.(fromFile) ?? fromFile;
  const limiter = createLimiter({ scriptRps: settings.SCRIPT_RPS, transactionRps: settings.TRANSACTION_RPS, eventRps: settings.EVENT_RPS, readRps: settings.READ_RPS });
  const node = connectAccessNode({ url: settings.FLOW_ACCESS_NODE ?? network.accessNode, limiter, log });
  const id = randomUUID();
  const instance: Instance = {
    id, settings, journal, node, network, cadence: loadCadence(network), vault: createAuditedVault({ masterKey: await openMasterKey(settings.WALLET_ENCRYPTION_KEY), journal, instanceId: id }), log,
    statistics: createStatistics(), telemetry: createTelemetry(), faultPoints: NO_FAULTS, now: Date.now,
  };
  let maySend = true;
  const [batchSize, pace] = [createBatchSize(), createPace(instance.now)];
  const follower = createFollower(instance, createSettlers(instance, batchSize, pace), { maySend: () => maySend, onSettled: () => undefined });
  const maker = createMaker(instance, { follower, batchSize, pace, mayWork: () => true, lookAgain: () => undefined });
  await registerFunders(journal, network);
  await heartbeat(journal, instance.id, instance.statistics);
  return {
    instance,
    follower,
    maker,
    setSending: (on) => void (maySend = on),
    async stop() {
      void maker.stop();
      follower.stop();
      node.close();
      await journal.close();
    },
  };
}
