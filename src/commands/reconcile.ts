import { readEnvironment } from '../environment.js';
import { AppError } from '../errors.js';
import { formatAmount } from '../flow/amount.js';
import { createBatchSize } from '../handlers/batchSize.js';
import { createConfigExport } from '../handlers/exportConfig.js';
import { createFollower } from '../handlers/followTransactions.js';
import type { Instance } from '../handlers/instance.js';
import { createPace } from '../handlers/pace.js';
import { createSettlers } from '../handlers/settlers.js';
import { estimate, type Estimate, type ListedFinding } from '../handlers/sweep/estimate.js';
import { createScriptSize } from '../handlers/sweep/scriptSize.js';
import { sweep } from '../handlers/sweep/sweep.js';
import { isPaused, sayChanged } from '../journal/control.js';
import { countersOf, unsettledOf, type Cycle } from '../journal/cycles.js';
import { heartbeat, stopInstance } from '../journal/instances.js';
import { takeOverTransactions } from '../journal/takeOver.js';
import { lookAgainAt } from '../journal/users.js';
import { createLog } from '../log.js';
import { readSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { oneUser } from '../users/oneUser.js';
import { openUsers } from '../users/openUsers.js';
import type { UserSource } from '../users/source.js';
import { waitUntil, within } from '../waiting.js';
import { cycleToText, estimateToText, findingToText } from './cycleText.js';
import { withInstance } from './openInstance.js';
import { print } from './output.js';
import { startProgress, type Progress } from './progress.js';

export interface ReconcileOptions {
  readonly dryRun: boolean;
  /** Only this one. */
  readonly user: string | undefined;
  readonly json: boolean;
}

const HEARTBEAT_MS = 2_000;
/** At its end what is not sealed yet is waited for so long; then it is left to the next instance. */
const DRAIN_MS = 10_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `wallet-sync reconcile`: one sweep, now and here. It stops in order at SIGTERM or SIGINT; the next one goes on from there. */
export async function runReconcile(options: ReconcileOptions): Promise<void> {
  if (options.user !== undefined && !UUID.test(options.user)) throw new AppError('usage', 'must be a user\'s id, as auth.users has it', { where: '--user' });
  const environment = readEnvironment();
  const settings = readSettings(environment);
  const progress = startProgress({ unit: 'users' });
  // A report is on standard output: what happens meanwhile goes to the other one, and only what matters unless asked for.
  const level = environment['LOG_LEVEL'] === undefined ? 'warn' : settings.LOG_LEVEL;
  const log = createLog({ level, pretty: process.stderr.isTTY, destination: { write: (line) => progress.write(line) } });
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  try {
    await withInstance({ environment, settings, log, isReadOnly: options.dryRun }, async (instance) => {
      const only = options.user === undefined ? null : await oneUser(instance.journal, options.user);
      const users = (): Promise<UserSource> => (only === null ? openUsers(instance) : Promise.resolve(only));
      if (options.dryRun) await look(instance, await users(), options, stop.signal, progress);
      else await sweepOnce(instance, users, options, stop.signal, progress);
    });
  } finally {
    progress.stop();
  }
}

async function look(instance: Instance, users: UserSource, options: ReconcileOptions, signal: AbortSignal, progress: Progress): Promise<void> {
  const found: ListedFinding[] = [];
  const result: Estimate = await estimate(instance, {
    users,
    size: createScriptSize(),
    signal,
    onProgress: progress.show,
    // A line each as they are found: a million of them must not be held.
    onFinding: (finding) => {
      if (!options.json) process.stdout.write(`${findingToText(finding)}\n`);
      else if (found.length < LISTED) found.push(finding);
    },
  }).catch((thrown: unknown) => {
    throw signal.aborted ? stopped('start it again: it has written nothing') : thrown;
  });
  if (signal.aborted) throw stopped('start it again: it has written nothing');
  progress.stop();
  const { counters, waiting, transactions, flow, scripts } = result;
  const json = { dry_run: true, ...counters, waiting, transactions, flow: { deposits: formatAmount(flow.deposits), fees: formatAmount(flow.fees) }, calls: { script: scripts }, findings: found };
  print(options.json, json, estimateToText(result));
}

const stopped = (mend: string): AppError => new AppError('data', 'stopped before its end', { where: 'sweep', mend });

/** With --json: findings listed at most. */
const LISTED = 10_000;

async function sweepOnce(instance: Instance, users: () => Promise<UserSource>, options: ReconcileOptions, signal: AbortSignal, progress: Progress): Promise<void> {
  const { journal, id, log, settings, statistics } = instance;
  let paused = await isPaused(journal);
  if (paused) throw new AppError('data', 'the service is paused: nothing is sent', { where: 'wallet_sync.control', mend: 'wallet-sync resume, or look with --dry-run' });
  const follower = createFollower(instance, createSettlers(instance, createBatchSize(), createPace(instance.now)), { maySend: () => !paused, onSettled: () => undefined });
  /** Transactions of the dead have nobody, where no daemon runs. */
  const beat = async (): Promise<void> => {
    await heartbeat(journal, id, statistics, { masterKeys: instance.vault.keyIds });
    paused = await isPaused(journal);
    for (const transaction of await takeOverTransactions(journal, id, follower.unsettled())) follower.follow(transaction);
  };
  await beat();
  let beating: Promise<unknown> | null = null;
  const beats = setInterval(() => {
    beating ??= beat()
      .catch((error: unknown) => log.warn({ reason: String(error) }, 'heartbeat failed'))
      .finally(() => void (beating = null));
  }, HEARTBEAT_MS);
  const configExport = settings.CONFIG_EXPORT ? createConfigExport(instance) : null;
  try {
    if (options.user !== undefined) await lookAgainAt(journal, options.user);
    const cycle = await sweep(instance, {
      reason: 'reconcile',
      resumes: options.user === undefined,
      signal,
      follower,
      mayWork: () => !paused,
      openUsers: users,
      size: createScriptSize(),
      isWhole: options.user === undefined,
      exportConfig: () => configExport?.flush() ?? Promise.resolve(),
      // Their users wait: a running instance gives them their wallets.
      onRowsMade: () => void sayChanged(journal).catch(() => undefined),
      onProgress: progress.show,
    });
    progress.stop();
    if (cycle === null) {
      if (signal.aborted) throw stopped('the next one goes on from there');
      if (paused) throw new AppError('data', 'the service was paused', { where: 'sweep', mend: 'wallet-sync resume; the next sweep goes on from there' });
      throw new AppError('data', 'another instance sweeps', { where: 'wallet_sync.sweeper', mend: 'wait for its end (`wallet-sync status`), or ask it with `wallet-sync resync`' });
    }
    await report(instance, cycle, options.json);
  } finally {
    await waitUntil(() => follower.unsettled().length === 0, DRAIN_MS);
    clearInterval(beats);
    follower.stop();
    await within(10_000, configExport?.close());
    await stopInstance(journal, id, statistics).catch(() => undefined);
  }
}

async function report(instance: Instance, cycle: Cycle, json: boolean): Promise<void> {
  const unsettled = await unsettledOf(instance.journal, cycle.id);
  const { id, reason, source, started_at, ended_at, waiting, set_apart, unknown, limited, calls, errors, stages, flow_spent } = cycle;
  print(json, { cycle: id, reason, source, started_at, ended_at, ...countersOf(cycle), waiting, set_apart, unknown, limited, unsettled, calls, errors, stages, flow_spent: formatAmount(BigInt(flow_spent)) }, cycleToText(cycle, unsettled));
}
