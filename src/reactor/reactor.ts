import { randomUUID } from 'node:crypto';
import { EMPTY, Subject, auditTime, from, merge, timer, type Observable } from 'rxjs';
import { announce } from '../handlers/announce.js';
import { MADE, createAssigner, type Ring } from '../handlers/assign.js';
import { createBatchSize } from '../handlers/batchSize.js';
import { registerFunders } from '../handlers/checkFunders.js';
import { createControl } from '../handlers/control.js';
import { createConfigExport } from '../handlers/exportConfig.js';
import { createFollower } from '../handlers/followTransactions.js';
import type { Instance } from '../handlers/instance.js';
import { limitsOf } from '../handlers/limits.js';
import { createMaker } from '../handlers/makeAccounts.js';
import { createPace } from '../handlers/pace.js';
import { recordStart } from '../handlers/recordStart.js';
import { requireMasterKeys } from '../handlers/requireMasterKeys.js';
import { createSettlers } from '../handlers/settlers.js';
import { count } from '../handlers/statistics.js';
import { tend } from '../handlers/tend.js';
import { createDelivery } from '../handlers/webhook/deliver.js';
import { openCycleOf, type Cycle } from '../journal/cycles.js';
import { readDemand } from '../journal/demand.js';
import { heartbeat, stopInstance } from '../journal/instances.js';
import { checkSchema } from '../journal/migrate.js';
import { isPolicyKept, registerPolicy, type Policy } from '../journal/policy.js';
import { makeWallets } from '../journal/sweepPages.js';
import { takeOverTransactions } from '../journal/takeOver.js';
import { coalesceWhileBusy } from '../streams/coalesceWhileBusy.js';
import type { ControlSignal, SweepSignal } from '../streams/merge.js';
import { waitUntil, within } from '../waiting.js';
import { createDelayed } from './delayed.js';
import { createFailures } from './failures.js';
import { onceEach } from './onceEach.js';
import { openSources } from './sources.js';
import { sparing } from './sparing.js';
import { createSweeping } from './sweeping.js';

/** More users than this who rang during one look are taken for all users: a look serves whoever waits. */
const RINGS_AT_MOST = 10_000;
/** More commands than this heard while others are obeyed are one resync of all; `wallet-sync pause` and its like are rows, and lose nothing. */
const CONTROLS_AT_MOST = 1_000;
const HEARTBEAT_MS = 2_000;
/**
 * What operators have written is read so often, should its NOTIFY be lost: a sweep that was asked for begins within a second. 1 ms of the database's time each. By a timer
 * of its own, for nothing that holds up a heartbeat to hold it up.
 */
const CONTROL_MS = 500;
/** Where reading it fails, that is told as seldom as a heartbeat's failure. */
const CONTROL_TOLD_EACH = HEARTBEAT_MS / CONTROL_MS;
const TENDING_MS = 10_000;
/** What a burst brings is gathered so long, so that a file is written for many. */
const EXPORT_MS = 500;
/** How long a start waits for a first source to prove itself. */
const LISTENING_MS = 5_000;
/** What a stop still does, each at most for this long: a silent database must not hold it. */
const CLOSE_MS = 2_500;
/** Work in flight is waited for this long on a stop; what is unsealed then stays in the journal, for the next start. */
const DRAIN_MS = 8_000;
/** A stop takes at most this long: with the closing of the connections and the process's end it stays below 15 s. */
const STOP_MS = 11_000;
/** Of it, for saving what was done. */
const SAVE_MS = 1_500;

export interface ReactorOptions {
  /** Called when a step of the start is done, with its name. */
  readonly onStep?: (name: string) => void;
  /** Where this instance answers over HTTP: told with each heartbeat. Default: nowhere. */
  readonly httpUrl?: string;
}

export interface Reactor {
  /** What keeps it from making and giving wallets; one line each. */
  troubles(): string[];
  /** No new work; work in flight is finished or left recoverable; statistics saved. Gives what was left. */
  stop(): Promise<{ unsettled: number; cycle: Cycle | null }>;
}

/** The wiring, top to bottom: sources → merge → assign, make, sweep, control. */
export async function startReactor(instance: Instance, options: ReactorOptions = {}): Promise<Reactor> {
  const { journal, settings, log, statistics, telemetry, id } = instance;
  const stopping = new AbortController();
  const failures = createFailures(instance);
  const delayed = createDelayed();
  /** Steps of the start that come after it is listening. */
  const once = onceEach(options.onStep ?? (() => undefined));

  const rings$ = new Subject<Ring>();
  const make$ = new Subject<void>();
  const sweeps$ = new Subject<SweepSignal>();
  const exports$ = new Subject<void>();
  const given$ = new Subject<void>();
  const webhooks$ = new Subject<void>();

  /** There may be somebody to serve, accounts to give or slots to use, of which no doorbell has told. */
  const wake = (source: string): void => {
    rings$.next({ authId: null, source });
    make$.next();
  };
  const control = createControl(instance, { onResyncAll: () => sweeping.askForResync(), onWork: () => wake('control') });
  const maySend = (): boolean => !control.isPaused() && !failures.isSchemaMissing();
  const mayWork = (): boolean => !stopping.signal.aborted && maySend();

  const batchSize = createBatchSize();
  const pace = createPace(instance.now);
  const follower = createFollower(instance, createSettlers(instance, batchSize, pace), { maySend, onSettled: () => wake(MADE) });
  const maker = createMaker(instance, { follower, batchSize, pace, mayWork, lookAgain: () => make$.next() });
  const assigner = createAssigner(instance, {
    onAssigned: (assigned) => {
      for (const { authId, address } of assigned) log.info({ authId, address }, 'wallet ready');
      exports$.next();
      given$.next();
      make$.next();
    },
    onUnserved: () => make$.next(),
    ringLater: (delayMs) => delayed.after(delayMs, () => rings$.next({ authId: null, source: MADE })),
  });
  const configExport = settings.CONFIG_EXPORT ? createConfigExport(instance) : null;
  const sweeping = createSweeping(instance, {
    control,
    follower,
    mayWork,
    stopping: stopping.signal,
    delayed,
    askFor: (signal) => sweeps$.next(signal),
    onBegun: () => once('first sweep begun'),
    // All others have rung, and the poll sees them.
    onRowsMade: () => rings$.next({ authId: null, source: 'sweep' }),
    exportConfig: () => configExport?.flush() ?? Promise.resolve(),
  });
  const deliverWebhooks =
    settings.WEBHOOK_URL === undefined || settings.WEBHOOK_SECRET === undefined ? null : createDelivery(instance, { url: settings.WEBHOOK_URL, secret: settings.WEBHOOK_SECRET, signal: stopping.signal });
  /** What a stop breaks off is written down: it is due again at once. */
  let delivering: Promise<void> = Promise.resolve();
  const tellReady = async (): Promise<void> => {
    if (!failures.isSchemaMissing() && !stopping.signal.aborted && (await announce(instance))) webhooks$.next();
  };

  const policy: Policy = { provision: settings.PROVISION, assign: settings.ASSIGN, limits: limitsOf(settings) };
  /** Half a pool: from there on the demand is worth a batch. */
  const lowWater = Math.max(1, Math.ceil(settings.POOL_SIZE / 2));
  const register = (): Promise<void> => registerPolicy(journal, { ...policy, instanceId: id, statistics, lowWater, log });

  const takeOver = async (): Promise<void> => {
    if (stopping.signal.aborted) return;
    for (const transaction of await takeOverTransactions(journal, id, follower.unsettled())) {
      log.info({ txId: transaction.id }, 'transaction taken over');
      follower.follow(transaction);
    }
  };

  /** Throws as long as something of it is missing. */
  const requireSchema = async (): Promise<void> => {
    await checkSchema(journal);
    await readDemand(journal, settings.POOL_SIZE);
    // For nobody: fails as long as public.wallet or its unique index is missing.
    await makeWallets(journal, []);
    await registerFunders(journal, instance.network);
  };

  /** Says that we live, takes over what the dead have left, and notices when the schema is back. */
  const sayAlive = (): Promise<void> => heartbeat(journal, id, statistics, { httpUrl: options.httpUrl ?? null, masterKeys: instance.vault.keyIds });
  const beat = async (): Promise<void> => {
    await sayAlive();
    if (failures.isSchemaMissing()) {
      await requireSchema();
      failures.schemaIsBack();
      sweeps$.next({ kind: 'sweep', reason: 'schema restored', source: 'reconnect' });
    }
    // First of all, and whatever else fails: transactions of the dead have nobody.
    await takeOver();
    // Not kept where the schema was dropped and made anew.
    if (!(await isPolicyKept(journal, policy))) await register();
    // What the sign-ups' own transactions or other instances gave rings nobody here.
    exports$.next();
    given$.next();
    webhooks$.next();
  };

  const readControl = sparing(CONTROL_TOLD_EACH, control.read);

  const look = async (rings: readonly Ring[]): Promise<void> => {
    if (!mayWork()) return;
    await assigner.look(rings, stopping.signal);
    once('backlog');
    make$.next();
  };

  const { signals, firstProof } = openSources(instance, stopping.signal);

  /** Runs `work` for what has arrived, one at a time; what arrives meanwhile leads to one more run. */
  const handle = <T>(name: string, source$: Observable<T>, keyOf: (item: T) => string, work: (batch: readonly T[]) => Promise<unknown>, overflow?: { readonly most: number; readonly item: T }) =>
    source$.pipe(coalesceWhileBusy({ keyOf, work: (batch) => from(work(batch)), onError: failures.report(name), ...(overflow === undefined ? {} : { overflow }) })).subscribe();
  const unlessSchemaMissing = (work: () => Promise<unknown>): Promise<unknown> => (failures.isSchemaMissing() ? Promise.resolve() : work());

  // Before anything is heard, given or made: what all instances agree on.
  await register();
  await recordStart(instance);
  // A rotation asks whether every living instance holds the next master key. One that registered it just before this one was seen to live has not asked about it.
  await sayAlive();
  await requireMasterKeys(journal, instance.vault).catch(async (thrown: unknown) => {
    await stopInstance(journal, id, statistics);
    throw thrown;
  });
  const subscriptions = [
    signals.all$.subscribe((signal) => {
      count(statistics.signals, `${signal.source}:${signal.kind}`);
      telemetry.emit({ kind: 'signal-heard', source: signal.source, signal: signal.kind });
    }),
    handle('assign', merge(signals.users$, rings$), (ring) => ring.authId ?? '', look, { most: RINGS_AT_MOST, item: { authId: null, source: 'notify' } }),
    handle('make', make$, () => '', () => maker.startBatches()),
    handle('sweep', merge(signals.sweeps$, sweeps$), () => '', ([signal]) => unlessSchemaMissing(async () => signal && sweeping.run(signal))),
    handle('control', signals.controls$, controlKey, control.obey, { most: CONTROLS_AT_MOST, item: { kind: 'control', command: { name: 'resync' }, senderPid: null, source: 'control' } }),
    handle('heartbeat', timer(HEARTBEAT_MS, HEARTBEAT_MS), () => '', beat),
    handle('control', timer(CONTROL_MS, CONTROL_MS), () => '', () => unlessSchemaMissing(readControl)),
    handle('tend', timer(TENDING_MS, TENDING_MS), () => '', () => (mayWork() ? tend(instance, { follower, signal: stopping.signal, lookAgain: () => wake(MADE), topUp: () => make$.next() }) : Promise.resolve())),
    handle('export', configExport === null ? EMPTY : exports$.pipe(auditTime(EXPORT_MS)), () => '', () => configExport?.follow() ?? Promise.resolve()),
    // After the commit, and apart from it: a receiver that is slow, or a queue that is full, delays no wallet.
    handle('announce', given$, () => '', tellReady),
    handle('webhooks', deliverWebhooks === null ? EMPTY : webhooks$, () => '', () => (delivering = deliverWebhooks?.() ?? Promise.resolve())),
  ];
  await beat();
  await control.read();
  const running = signals.connect();
  // Listening means that a source has proved itself. Without one the poll works, so that is no reason not to run.
  await within(LISTENING_MS, firstProof);

  return {
    troubles: () => (failures.isSchemaMissing() ? ['the schema, or public.wallet with its unique index, is missing: making and sending have stopped; `wallet-sync migrate`'] : []),
    async stop() {
      const deadline = Date.now() + STOP_MS;
      stopping.abort();
      running.unsubscribe();
      delayed.clear();
      // What is recorded after nothing is followed any more would stay unsent until the next start.
      await within(CLOSE_MS, maker.stop());
      await waitUntil(() => follower.unsettled().length === 0, Math.min(DRAIN_MS, deadline - SAVE_MS - Date.now()));
      follower.stop();
      for (const subscription of subscriptions) subscription.unsubscribe();
      const beforeSaving = <T>(work: Promise<T> | undefined): Promise<void> => within(Math.max(0, Math.min(CLOSE_MS, deadline - SAVE_MS - Date.now())), work);
      await beforeSaving(sweeping.settled());
      await beforeSaving(delivering.catch(() => undefined));
      await beforeSaving(configExport?.close());
      let cycle: Cycle | null = null;
      const unsettled = follower.unsettled().length;
      const save = async (): Promise<void> => {
        cycle = await openCycleOf(journal, id);
        await stopInstance(journal, id, statistics);
      };
      await within(SAVE_MS, save().catch(failures.report('stop')));
      log.info({ ...statistics, unsettled, cycle }, 'stopped');
      return { unsettled, cycle };
    },
  };
}

/** A repeated resync is one; every pause and resume is kept, in order: the last one counts. */
const controlKey = (signal: ControlSignal): string =>
  signal.command === null ? '' : signal.command.name === 'resync' ? `resync:${'authId' in signal.command ? signal.command.authId : ''}` : randomUUID();
