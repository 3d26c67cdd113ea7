import { randomUUID } from 'node:crypto';
import { EMPTY, Subject, asyncScheduler, defer, finalize, mergeMap, of, type Observable, type ObservableInput, type SchedulerLike } from 'rxjs';
import { toAppError } from '../errors.js';
import type { Log } from '../log.js';
import { createBackoff, retryForever } from './backoff.js';
import { MUTE_MESSAGE, proveByEcho } from './echoProof.js';
import { createHealthReporter, type OnHealth } from './health.js';
import { joinRealtime, type JoinEvent, type RealtimeHost } from './joinRealtime.js';
import type { Signal } from './signal.js';
import { clipForLog, toCanaryNonce, toRealtimeSignal } from './toSignal.js';

export interface RealtimeSourceOptions {
  /** A client of its own, made with `ws` as its transport; its socket is closed at each failure and at the end. */
  readonly client: RealtimeHost;
  /** Inserts a row with the nonce into wallet_sync.canary. */
  readonly sendCanary: (nonce: string) => ObservableInput<unknown>;
  readonly log: Log;
  readonly onHealth?: OnHealth;
  /** Pause between canaries, in milliseconds. Default 30,000. */
  readonly canaryEveryMs?: number;
  /** A canary not back for so long means a mute channel, in milliseconds. Default 10,000. */
  readonly canaryWithinMs?: number;
  /** Default 15,000, in milliseconds. */
  readonly joinWithinMs?: number;
  /** How long leaving a channel, and closing its socket, may take each, in milliseconds. Default 1,000. */
  readonly leaveWithinMs?: number;
  /** Ceilings of the pause before joining again, in milliseconds. Defaults 500 and 60,000. */
  readonly firstDelayMs?: number;
  readonly capDelayMs?: number;
  readonly random?: () => number;
  readonly scheduler?: SchedulerLike;
}

/**
 * INSERTs on public.wallet, as Supabase Realtime tells them, as signals.
 *
 * Proves itself with canaries: rows that must come back as changes. SUBSCRIBED proves nothing. A mute or lost channel is left and joined again on a new
 * socket, for ever; when a join has proved itself, or a canary comes back after one that could not be written, it asks for a catch-up, since what happened before
 * is not replayed.
 * Never completes, never errors; unsubscribing leaves the channel and closes the socket.
 */
export function createRealtimeSource(options: RealtimeSourceOptions): Observable<Signal> {
  const { client, joinWithinMs = 15_000, leaveWithinMs = 1_000 } = options;
  return followRealtime(joinRealtime({ client, joinWithinMs, leaveWithinMs }), options);
}

/** The source's life above one channel's events; `joining$` joins anew at each subscription. */
export function followRealtime(joining$: Observable<JoinEvent>, options: Omit<RealtimeSourceOptions, 'client'>): Observable<Signal> {
  const { sendCanary, log, canaryEveryMs = 30_000, canaryWithinMs = 10_000, firstDelayMs = 500, capDelayMs = 60_000, random = Math.random, scheduler = asyncScheduler } = options;

  return defer(() => {
    const backoff = createBackoff({ firstMs: firstDelayMs, capMs: capDelayMs, random });
    const report = createHealthReporter(log, options.onHealth, () => scheduler.now());
    let isMute = false;
    report('connecting');

    const oneJoin$ = defer(() => {
      const heard$ = new Subject<string>();
      /** Since the join, and since the database was last out of reach: its outage is Realtime's too, and its change stream may have a gap. */
      let isProven = false;
      const proof$ = proveByEcho({
        heard$,
        send: sendCanary,
        newNonce: randomUUID,
        everyMs: canaryEveryMs,
        withinMs: canaryWithinMs,
        // Hosted Realtime answers the join before its change stream stands: the first canary may be lost without any fault.
        resendMs: Math.ceil(canaryWithinMs / 5),
        onUnsent: (error) => {
          isProven = false;
          log.warn({ err: error }, 'canary could not be written');
          report('mute', 'the canary could not be written');
        },
        scheduler,
      }).pipe(
        mergeMap((): Observable<Signal> => {
          isMute = false;
          backoff.reset();
          report('ok');
          if (isProven) return EMPTY;
          isProven = true;
          return of({ kind: 'user', authId: null, source: 'reconnect' });
        }),
      );
      return joining$.pipe(
        mergeMap((event): Observable<Signal> => {
          switch (event.type) {
            case 'joined':
              if (!isMute) report('connecting', 'joined, not proven yet');
              return proof$;
            case 'wallet':
              return toSignals(event.record, log);
            case 'canary': {
              const nonce = toCanaryNonce(event.record);
              if (nonce !== null) heard$.next(nonce);
              return EMPTY;
            }
          }
        }),
      );
    });

    return oneJoin$.pipe(
      retryForever({
        backoff,
        onFailure: (thrown, retryInMs) => {
          const error = toAppError(thrown);
          isMute = error.message === MUTE_MESSAGE;
          const reason = isMute ? 'joined, but a canary written to the database did not come back' : error.message;
          log.warn({ err: error, reason, retryInMs }, 'Realtime failed');
          report(isMute ? 'mute' : 'down', reason);
        },
        scheduler,
      }),
      finalize(() => report('down', 'stopped')),
    );
  });
}

function toSignals(record: unknown, log: Log): Observable<Signal> {
  const signal = toRealtimeSignal(record);
  if (signal !== null) return of(signal);
  log.warn({ record: clipForLog(record) }, 'malformed Realtime record dropped');
  return EMPTY;
}
