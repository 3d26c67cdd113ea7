import { randomUUID } from 'node:crypto';
import { EMPTY, Subject, auditTime, defer, from, merge, switchMap, timer, type Observable } from 'rxjs';
import { toAppError } from './errors.js';
import { announce } from './handlers/announce.js';
import { MADE, createAssigner, type Ring } from './handlers/assign.js';
import { createBatchSize } from './handlers/batchSize.js';
import { registerFunders } from './handlers/checkFunders.js';
import { createControl } from './handlers/control.js';
import { createConfigExport } from './handlers/exportConfig.js';
import { createFollower } from './handlers/followTransactions.js';
import type { Instance } from './handlers/instance.js';
import { limitsOf } from './handlers/limits.js';
import { createMaker } from './handlers/makeAccounts.js';
import { createPace } from './handlers/pace.js';
import { createSettlers } from './handlers/settlers.js';
import { recordStart } from './handlers/recordStart.js';
import { count } from './handlers/statistics.js';
import { createScriptSize } from './handlers/sweep/scriptSize.js';
import { sweep } from './handlers/sweep/sweep.js';
import { tend } from './handlers/tend.js';
import { createDelivery } from './handlers/webhook/deliver.js';
import { anyoneWaiting } from './journal/assignments.js';
import { sendCanary, sendHeartbeat } from './journal/canary.js';
import { openCycleOf, type Cycle } from './journal/cycles.js';
import { readDemand } from './journal/demand.js';
import { heartbeat, stopInstance } from './journal/instances.js';
import { checkSchema } from './journal/migrate.js';
import { isPolicyKept, registerPolicy, type Policy } from './journal/policy.js';
import { isSchemaMissing } from './journal/sqlErrors.js';
import { takeOverTransactions } from './journal/takeOver.js';
import { makeWallets } from './journal/sweepPages.js';
import { createBacklogPoll } from './streams/backlogPoll.js';
import { coalesceWhileBusy } from './streams/coalesceWhileBusy.js';
import type { SourceHealth } from './streams/health.js';
import { mergeSources, type ControlSignal, type NamedSource, type SweepSignal } from './streams/merge.js';
import { createNotifySource } from './streams/notifySource.js';
import { createRealtimeSource } from './streams/realtimeSource.js';
import type { Signal } from './streams/signal.js';
import { createStartSource } from './streams/startSource.js';
import { createTimerSource } from './streams/timerSource.js';
import { openUsers } from './users/openUsers.js';
import { createDeferred, waitUntil, within } from './waiting.js';

const HEARTBEAT_MS = 2_000;
/** What operators have written is read so often, should its NOTIFY be lost: a sweep that was asked for begins within a second. 1 ms of the database's time each. */
const CONTROL_MS = 500;
const TENDING_MS = 10_000;
const RESYNC = 'resync';
/** A sweep that found another one under way, and has to follow it. */
const SWEEP_AGAIN_MS = 5_000;
/** How long a start waits for a first source to prove itself. */
const LISTENING_MS = 5_000;
/** The backlog, the first sweep and Realtime come after the first proof, or this late: what they load and ask must not delay it. */
const FIRST_PROOF_MS = 1_000;
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
  let schemaMissing = false;

  const rings$ = new Subject<Ring>();
  const make$ = new Subject<void>();
  const sweeps$ = new Subject<SweepSignal>();

  /** There may be somebody to serve, accounts to give or slots to use, of which no doorbell has told. */
  const wake = (source: string): void => {
    rings$.next({ authId: null, source });
    make$.next();
  };
  /** Kept here until a sweep has done it: signals that come together are one. */
  let isResyncAsked = false;
  const control = createControl(instance, {
    onResyncAll: () => {
      isResyncAsked = true;
      sweeps$.next({ kind: 'sweep', reason: RESYNC, source: 'control' });
    },
    onWork: () => wake('control'),
  });
  const batchSize = createBatchSize();
  const pace = createPace(instance.now);
  const follower = createFollower(instance, createSettlers(instance, batchSize, pace), {
    maySend: () => !control.isPaused() && !schemaMissing,
    onSettled: () => wake(MADE),
  });
  const mayWork = (): boolean => !stopping.signal.aborted && !control.isPaused() && !schemaMissing;
  const maker = createMaker(instance, { follower, batchSize, pace, mayWork, lookAgain: () => make$.next() });
  const scriptSize = createScriptSize();
  const configExport = settings.CONFIG_EXPORT ? createConfigExport(instance) : null;
  const exports$ = new Subject<void>();
  const given$ = new Subject<void>();
  const webhooks$ = new Subject<void>();
  const deliverWebhooks =
    settings.WEBHOOK_URL === undefined || settings.WEBHOOK_SECRET === undefined ? null : createDelivery(instance, { url: settings.WEBHOOK_URL, secret: settings.WEBHOOK_SECRET, signal: stopping.signal });
  /** What a stop breaks off is written down: it is due again at once. */
  let delivering: Promise<void> = Promise.resolve();
  const tellReady = async (): Promise<void> => {
    if (!schemaMissing && !stopping.signal.aborted && (await announce(instance))) webhooks$.next();
  };
  const later = new Set<NodeJS.Timeout>();
  const after = (delayMs: number, act: () => void): void => {
    const timer = setTimeout(() => {
      later.delete(timer);
      act();
    }, delayMs);
    later.add(timer);
  };
  const assigner = createAssigner(instance, {
    onAssigned: (assigned) => {
      for (const { authId, address } of assigned) log.info({ authId, address }, 'wallet ready');
      exports$.next();
      given$.next();
      make$.next();
    },
    onUnserved: () => make$.next(),
    ringLater: (delayMs) => after(delayMs, () => rings$.next({ authId: null, source: MADE })),
  });

  /** The one place that hears of failed work. The next ring, poll or sweep looks again: state says what is still to be done. */
  const report = (work: string) => (thrown: unknown) => {
    const error = toAppError(thrown);
    statistics.lastError = { kind: error.kind, message: error.message, at: new Date().toISOString() };
    telemetry.emit({ kind: 'work-failed', work, error: error.kind });
    if (!isSchemaMissing(error)) return log.error({ work, kind: error.kind, where: error.where, reason: error.message, mend: error.mend }, 'work failed');
    if (schemaMissing) return;
    schemaMissing = true;
    log.error({ reason: error.message, mend: error.mend }, 'schema wallet_sync is missing: making and sending stop');
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

  /** Says that we live, reads what operators want, takes over what the dead have left, and notices when the schema is back. */
  const beat = async (): Promise<void> => {
    await heartbeat(journal, id, statistics, options.httpUrl ?? null);
    if (schemaMissing) {
      await checkSchema(journal);
      await readDemand(journal, settings.POOL_SIZE);
      // For nobody: fails as long as public.wallet or its unique index is missing.
      await makeWallets(journal, []);
      await registerFunders(journal, instance.network);
      schemaMissing = false;
      log.info('schema wallet_sync is back');
      sweeps$.next({ kind: 'sweep', reason: 'schema restored', source: 'reconnect' });
    }
    // First of all, and whatever else fails: transactions of the dead have nobody.
    await takeOver();
    // Not kept where the schema was dropped and made anew.
    if (!(await isPolicyKept(journal, policy))) await register();
    await control.read();
    // What the sign-ups' own transactions or other instances gave rings nobody here.
    exports$.next();
    given$.next();
    webhooks$.next();
  };

  const look = async (rings: readonly Ring[]): Promise<void> => {
    if (!mayWork()) return;
    await assigner.look(rings, stopping.signal);
    once('backlog');
    make$.next();
  };

  /** The sweep under way: a stop waits for its page to end. */
  let sweeping: Promise<unknown> = Promise.resolve();
  const runSweep = async (signal: SweepSignal): Promise<void> => {
    if (schemaMissing || stopping.signal.aborted) return;
    await control.read();
    if (control.isPaused()) return;
    once('first sweep begun');
    let isOpen = false;
    const isResync = isResyncAsked;
    isResyncAsked = false;
    const pass = sweep(instance, {
      reason: isResync ? RESYNC : signal.reason,
      // Who asks for a resync wants all users looked at from now on.
      resumes: !isResync,
      signal: stopping.signal,
      follower,
      mayWork,
      onOpened: () => void (isOpen = true),
      openUsers: () => openUsers(instance),
      size: scriptSize,
      exportConfig: () => configExport?.flush() ?? Promise.resolve(),
      // All others have rung, and the poll sees them.
      onRowsMade: () => rings$.next({ authId: null, source: 'sweep' }),
    });
    sweeping = pass.catch(() => undefined);
    try {
      // Another instance sweeps and may be past the user this was asked for: once more when it has ended.
      if ((await pass) === null && isResync) {
        isResyncAsked = true;
        // At a time of its own: two that began together would meet each time.
        after(SWEEP_AGAIN_MS * (0.5 + Math.random()), () => sweeps$.next(signal));
      }
    } catch (thrown) {
      // Once its record is open, the resync's own sweep is resumed.
      isResyncAsked ||= isResync && !isOpen;
      // What broke it off may be over soon; it is resumed from its last page.
      after(SWEEP_AGAIN_MS * 6, () => sweeps$.next({ ...signal, reason: 'resumed' }));
      throw thrown;
    }
  };

  const firstProof = createDeferred();
  const wasUnwell = new Set<string>();
  /** Steps of the start that come after it is listening. */
  const once = onceEach(options.onStep ?? (() => undefined));
  const onHealth = (source: string) => (now: SourceHealth): void => {
    if (now.state === 'mute' || now.state === 'down') wasUnwell.add(source);
    if (now.state === 'ok' && wasUnwell.delete(source)) telemetry.emit({ kind: 'source-reconnected', source });
    statistics.sources[source] = { state: now.state, reason: now.reason };
    if (stopping.signal.aborted) return;
    if (now.state === 'ok') firstProof.resolve();
    log[now.state === 'mute' || now.state === 'down' ? 'warn' : 'info']({ source, state: now.state, reason: now.reason }, 'source health');
  };
  const afterFirstProof = <T>(source$: Observable<T>): Observable<T> => defer(() => from(within(FIRST_PROOF_MS, firstProof.promise))).pipe(switchMap(() => source$));
  const sources: NamedSource[] = [
    { name: 'notify', signals$: createNotifySource({ connectionString: settings.DATABASE_URL, sendHeartbeat: (nonce) => sendHeartbeat(journal, nonce), log, onHealth: onHealth('notify') }) },
    ...(settings.REALTIME ? [{ name: 'realtime', signals$: afterFirstProof(realtimeSignals(instance, onHealth('realtime'))) }] : []),
    { name: 'poll', signals$: createBacklogPoll({ everyMs: settings.BACKLOG_POLL * 1_000, anyoneWaiting: () => from(anyoneWaiting(journal)), log }) },
    { name: 'timer', signals$: createTimerSource({ intervalMs: settings.SYNC_INTERVAL * 1_000, random: Math.random }) },
    { name: 'start', signals$: afterFirstProof(createStartSource()) },
  ];
  const signals = mergeSources(sources, { log });

  /** Runs `work` for what has arrived, one at a time; what arrives meanwhile leads to one more run. */
  const handle = <T>(name: string, source$: Observable<T>, keyOf: (item: T) => string, work: (batch: readonly T[]) => Promise<unknown>) =>
    source$.pipe(coalesceWhileBusy({ keyOf, work: (batch) => from(work(batch)), onError: report(name) })).subscribe();

  // Before anything is heard, given or made: what all instances agree on.
  await register();
  await recordStart(instance);
  const subscriptions = [
    signals.all$.subscribe((signal) => {
      count(statistics.signals, `${signal.source}:${signal.kind}`);
      telemetry.emit({ kind: 'signal-heard', source: signal.source, signal: signal.kind });
    }),
    handle('assign', merge(signals.users$, rings$), (ring) => ring.authId ?? '', look),
    handle('make', make$, () => '', () => maker.startBatches()),
    handle('sweep', merge(signals.sweeps$, sweeps$), () => '', async ([signal]) => signal && runSweep(signal)),
    handle('control', signals.controls$, controlKey, control.obey),
    handle('heartbeat', timer(HEARTBEAT_MS, HEARTBEAT_MS), () => '', beat),
    // Where it fails, the heartbeat says so, and less often.
    handle('control', timer(CONTROL_MS, CONTROL_MS), () => '', () => (schemaMissing ? Promise.resolve() : control.read().catch(() => undefined))),
    handle('tend', timer(TENDING_MS, TENDING_MS), () => '', () => (mayWork() ? tend(instance, { follower, signal: stopping.signal, lookAgain: () => wake(MADE), topUp: () => make$.next() }) : Promise.resolve())),
    // Half a second gathers what a burst brings; a file is written for many then.
    handle('export', configExport === null ? EMPTY : exports$.pipe(auditTime(500)), () => '', () => configExport?.follow() ?? Promise.resolve()),
    // After the commit, and apart from it: a receiver that is slow, or a queue that is full, delays no wallet.
    handle('announce', given$, () => '', tellReady),
    handle('webhooks', deliverWebhooks === null ? EMPTY : webhooks$, () => '', () => (delivering = deliverWebhooks?.() ?? Promise.resolve())),
  ];
  await beat();
  const running = signals.connect();
  // Listening means that a source has proved itself. Without one the poll works, so that is no reason not to run.
  await within(LISTENING_MS, firstProof.promise);

  return {
    troubles: () => (schemaMissing ? ['the schema, or public.wallet with its unique index, is missing: making and sending have stopped; `wallet-sync migrate`'] : []),
    async stop() {
      const deadline = Date.now() + STOP_MS;
      stopping.abort();
      maker.stop();
      running.unsubscribe();
      for (const timer of later) clearTimeout(timer);
      await waitUntil(() => follower.unsettled().length === 0, DRAIN_MS);
      follower.stop();
      for (const subscription of subscriptions) subscription.unsubscribe();
      const beforeSaving = <T>(work: Promise<T> | undefined): Promise<void> => within(Math.max(0, Math.min(CLOSE_MS, deadline - SAVE_MS - Date.now())), work);
      await beforeSaving(sweeping);
      await beforeSaving(delivering.catch(() => undefined));
      await beforeSaving(configExport?.close());
      let cycle: Cycle | null = null;
      const unsettled = follower.unsettled().length;
      const save = async (): Promise<void> => {
        cycle = await openCycleOf(journal, id);
        await stopInstance(journal, id, statistics);
      };
      await within(SAVE_MS, save().catch(report('stop')));
      log.info({ ...statistics, unsettled, cycle }, 'stopped');
      return { unsettled, cycle };
    },
  };
}

/** Passes each name on the first time only. */
function onceEach(tell: (name: string) => void): (name: string) => void {
  const told = new Set<string>();
  return (name) => {
    if (told.has(name)) return;
    told.add(name);
    tell(name);
  };
}

/** A repeated resync is one; every pause and resume is kept, in order: the last one counts. */
const controlKey = (signal: ControlSignal): string =>
  signal.command === null ? '' : signal.command.name === 'resync' ? `resync:${'authId' in signal.command ? signal.command.authId : ''}` : randomUUID();

function realtimeSignals(instance: Instance, onHealth: (health: SourceHealth) => void): Observable<Signal> {
  const { settings, journal, log, telemetry, id } = instance;
  // 0.2 s to import: NOTIFY listens meanwhile.
  return defer(() => from(Promise.all([import('./streams/realtimeClient.js'), import('./telemetry/countedSocket.js')]))).pipe(
    switchMap(([{ createRealtimeClient }, { createCountedSocket }]) => {
      const client = createRealtimeClient({ url: settings.SUPABASE_URL, key: settings.SUPABASE_SERVICE_ROLE_KEY, transport: createCountedSocket(telemetry) });
      return createRealtimeSource({ client, sendCanary: (nonce) => sendCanary(journal, id, nonce), log, onHealth });
    }),
  );
}
