import { randomUUID } from 'node:crypto';
import type { SimulatedNode } from '../../../dev/simulatedChain/node.js';
import { toAppError, type AppError } from '../../../src/errors.js';
import type { Cadence } from '../../../src/flow/cadence.js';
import { checkWallets } from '../../../src/flow/checkWallets.js';
import type { Network } from '../../../src/flow/network.js';
import { createAssigner } from '../../../src/handlers/assign.js';
import { createAuditedVault } from '../../../src/handlers/auditedVault.js';
import { createBatchSize } from '../../../src/handlers/batchSize.js';
import { registerFunders } from '../../../src/handlers/checkFunders.js';
import { createFollower } from '../../../src/handlers/followTransactions.js';
import { fundWallets, type NeedyWallet } from '../../../src/handlers/fundWallets.js';
import type { Instance } from '../../../src/handlers/instance.js';
import { createMaker } from '../../../src/handlers/makeAccounts.js';
import { createPace } from '../../../src/handlers/pace.js';
import { createSettlers } from '../../../src/handlers/settlers.js';
import { createStatistics } from '../../../src/handlers/statistics.js';
import { createTelemetry } from '../../../src/telemetry/events.js';
import { createScriptSize } from '../../../src/handlers/sweep/scriptSize.js';
import { createSoundKeys } from '../../../src/handlers/sweep/soundKeys.js';
import { sweep } from '../../../src/handlers/sweep/sweep.js';
import { tend } from '../../../src/handlers/tend.js';
import { heartbeat } from '../../../src/journal/instances.js';
import { registerPolicy } from '../../../src/journal/policy.js';
import { openJournal, type Journal } from '../../../src/journal/pool.js';
import { takeOverTransactions } from '../../../src/journal/takeOver.js';
import type { Log } from '../../../src/log.js';
import type { Settings } from '../../../src/settings.js';
import { createPostgresUsers } from '../../../src/users/postgresUsers.js';
import { breakInJournal, breakInNode } from './breakIn.js';
import { createBreakpoint, type Breakpoint } from './breakpoint.js';

/** What one instance is told to do; the reactor's timers and doorbells are not there. */
export const WORKS = ['look', 'make', 'poll', 'beat', 'tend', 'sweep', 'check', 'fund'] as const;
export type Work = (typeof WORKS)[number];

export interface ProcessOptions {
  readonly settings: Settings;
  readonly masterKey: Buffer;
  /** Of role wallet_sync_service. The process puts its id there as application_name. */
  readonly databaseUrl: string;
  readonly node: SimulatedNode;
  readonly network: Network;
  readonly cadence: Cadence;
  readonly log: Log;
  readonly now: () => number;
  /** Changes what the daemon asks of the database: the clock, and planted faults. */
  readonly wrapJournal: (journal: Journal) => Journal;
}

/** One instance of the daemon inside this process: the real handlers and journal, stepped by hand. */
export interface Process {
  readonly id: string;
  readonly node: SimulatedNode;
  readonly breakpoint: Breakpoint;
  /** Registers its slots and says that it lives. */
  start(): Promise<void>;
  /** Errors that a handler throws are given, not thrown. */
  work(work: Work): Promise<AppError | null>;
  /** Ends its timers and, once it is dead, its connections. */
  discard(): void;
}

/** Each fault is met once, and time passes only when told. */
const IMPATIENCE = { attempts: 1, waitMs: 0, standstillMs: 0 };
const NOBODY: AbortSignal = new AbortController().signal;

/** Makes a process; it does nothing until it is started. */
export function createProcess(options: ProcessOptions): Process {
  const id = randomUUID();
  const breakpoint = createBreakpoint();
  const url = new URL(options.databaseUrl);
  url.searchParams.set('application_name', id);
  const connections = openJournal({ connectionString: url.href, log: options.log, maxConnections: 6 });
  const journal = breakInJournal(options.wrapJournal(connections), breakpoint);
  const instance: Instance = {
    id,
    settings: options.settings,
    journal,
    node: breakInNode(options.node, breakpoint),
    network: options.network,
    cadence: options.cadence,
    vault: createAuditedVault({ masterKey: options.masterKey, journal, instanceId: id }),
    log: options.log,
    statistics: createStatistics(),
    telemetry: createTelemetry(),
    faultPoints: { at: (point) => breakpoint.at(point) },
    now: options.now,
  };

  const batchSize = createBatchSize();
  const pace = createPace(options.now);
  const follower = createFollower(instance, createSettlers(instance, batchSize, pace), { maySend: () => true, onSettled: () => undefined, everyMs: null });
  const maker = createMaker(instance, { follower, batchSize, pace, mayWork: () => true, lookAgain: () => undefined });
  const assigner = createAssigner(instance, { onAssigned: () => undefined, onUnserved: () => undefined, ringLater: () => undefined });
  const scriptSize = createScriptSize();
  const soundKeys = createSoundKeys();
  /** What the last check found; fundings may rest on it much later, and more than once. */
  let needy: readonly NeedyWallet[] = [];

  const beat = async (): Promise<void> => {
    await heartbeat(journal, id, instance.statistics);
    for (const transaction of await takeOverTransactions(journal, id, follower.unsettled())) {
      options.log.info({ txId: transaction.id, instance: options.node.name }, 'transaction taken over');
      follower.follow(transaction);
    }
  };

  const check = async (): Promise<void> => {
    const { rows } = await journal.query("select id, address, public_key from wallet_sync.account where state in ('free', 'assigned') order by id");
    const known = rows as { id: number; address: string; public_key: string }[];
    if (known.length === 0) return;
    const { height, wallets } = await checkWallets({ accessNode: instance.node, cadence: instance.cadence, wallets: known.map((row) => ({ address: row.address, publicKey: row.public_key })) });
    needy = known.flatMap((row, i) => {
      const wallet = wallets[i];
      return wallet?.exists === true && wallet.flowBalance < instance.settings.FLOW_FUNDING_THRESHOLD ? [{ accountId: row.id, address: row.address, balanceHeight: height }] : [];
    });
  };

  const works: Record<Work, () => Promise<unknown>> = {
    look: () => assigner.look([{ authId: null, source: 'notify' }], NOBODY),
    make: () => maker.startBatches(),
    poll: () => follower.poll(),
    beat,
    tend: () => tend(instance, { follower, signal: NOBODY, lookAgain: () => undefined, topUp: () => undefined }),
    sweep: () =>
      sweep(instance, { reason: 'property test', resumes: true, signal: NOBODY, follower, openUsers: () => Promise.resolve(createPostgresUsers({ journal, settings: options.settings })), size: scriptSize, soundKeys, patience: IMPATIENCE }),
    check,
    async fund() {
      if (needy.length === 0) await check();
      await fundWallets(instance, follower, needy, { cycle: null });
    },
  };

  const attempt = async (work: () => Promise<unknown>): Promise<AppError | null> => {
    try {
      await work();
      return null;
    } catch (thrown) {
      if (thrown instanceof TypeError) throw thrown;
      return toAppError(thrown);
    }
  };

  let isDiscarded = false;

  return {
    id,
    node: options.node,
    breakpoint,
    async start() {
      await attempt(async () => {
        const { PROVISION: provision, ASSIGN: assign, POOL_SIZE: poolSize } = options.settings;
        await registerPolicy(journal, { provision, assign, instanceId: id, statistics: instance.statistics, lowWater: Math.max(1, Math.ceil(poolSize / 2)), log: options.log });
        await registerFunders(journal, options.network);
        await beat();
      });
    },
    async work(work) {
      const error = await attempt(works[work]);
      if (error !== null) options.log.info({ work, instance: options.node.name, kind: error.kind, reason: error.message }, 'work failed');
      return error;
    },
    discard() {
      if (isDiscarded) return;
      isDiscarded = true;
      void maker.stop();
      follower.stop();
      // A client that a halted transaction holds never comes back, so this may never resolve; its socket is closed by the server.
      void connections.close();
    },
  };
}
