import { randomUUID } from 'node:crypto';
import { EMPTY, Subject, asyncScheduler, defer, finalize, ignoreElements, merge, mergeMap, of, tap, type Observable, type ObservableInput, type SchedulerLike } from 'rxjs';
import { toAppError } from '../errors.js';
import type { Log } from '../log.js';
import { createBackoff, retryForever } from './backoff.js';
import { MUTE_MESSAGE, proveByEcho } from './echoProof.js';
import { createHealthReporter, type OnHealth } from './health.js';
import { listenToPostgres, type ListenEvent } from './listenToPostgres.js';
import type { Signal } from './signal.js';
import { KNOWN_COMMANDS, clipForLog, toControlSignal, toUserSignal } from './toSignal.js';

const USER_CHANNEL = 'wallet_sync';
const CONTROL_CHANNEL = 'wallet_sync_control';
const CHANGED_CHANNEL = 'wallet_sync_changed';
/** All instances' heartbeats go through it; each knows its own nonces. */
export const HEARTBEAT_CHANNEL = 'wallet_sync_heartbeat';

export interface NotifySourceOptions {
  /** A session of its own: the direct connection or the session pooler. */
  readonly connectionString: string;
  /** NOTIFYs the nonce on HEARTBEAT_CHANNEL through another connection. */
  readonly sendHeartbeat: (nonce: string) => ObservableInput<unknown>;
  readonly log: Log;
  readonly onHealth?: OnHealth;
  /** Pause between heartbeats, in milliseconds. Default 10,000. */
  readonly heartbeatEveryMs?: number;
  /** A heartbeat not heard for so long means a dead connection, in milliseconds. Default 5,000. */
  readonly heartbeatWithinMs?: number;
  /** For connecting and LISTEN, in milliseconds. Default 10,000. */
  readonly connectWithinMs?: number;
  /** Ceilings of the pause before connecting again, in milliseconds. Defaults 250 and 30,000. */
  readonly firstDelayMs?: number;
  readonly capDelayMs?: number;
  readonly random?: () => number;
  readonly scheduler?: SchedulerLike;
}

/**
 * NOTIFY as signals: users who signed up, operators' raw commands, "the control row changed".
 *
 * Proves itself with a heartbeat and connects again, for ever, when the connection is lost or deaf. After each (re)connect it asks for a catch-up,
 * since what was notified meanwhile is gone. Never completes, never errors; unsubscribing closes the connection.
 */
export function createNotifySource(options: NotifySourceOptions): Observable<Signal> {
  const { connectionString, connectWithinMs = 10_000 } = options;
  const channels = [USER_CHANNEL, CONTROL_CHANNEL, CHANGED_CHANNEL, HEARTBEAT_CHANNEL];
  return followListening(listenToPostgres({ connectionString, channels, connectWithinMs }), options);
}

/** The source's life above one connection's events; `listening$` makes a new connection at each subscription. */
export function followListening(listening$: Observable<ListenEvent>, options: Omit<NotifySourceOptions, 'connectionString'>): Observable<Signal> {
  const { sendHeartbeat, log, heartbeatEveryMs = 10_000, heartbeatWithinMs = 5_000, firstDelayMs = 250, capDelayMs = 30_000, random = Math.random, scheduler = asyncScheduler } = options;

  return defer(() => {
    const backoff = createBackoff({ firstMs: firstDelayMs, capMs: capDelayMs, random });
    const report = createHealthReporter(log, options.onHealth, () => scheduler.now());
    let isMute = false;
    report('connecting');

    const oneConnection$ = defer(() => {
      const heard$ = new Subject<string>();
      const proof$ = proveByEcho({
        heard$,
        send: sendHeartbeat,
        newNonce: randomUUID,
        everyMs: heartbeatEveryMs,
        withinMs: heartbeatWithinMs,
        resendMs: Math.ceil(heartbeatWithinMs / 3),
        onUnsent: (error) => {
          log.warn({ err: error }, 'heartbeat could not be sent');
          report('mute', 'the heartbeat could not be sent');
        },
        scheduler,
      }).pipe(
        tap(() => {
          isMute = false;
          backoff.reset();
          report('ok');
        }),
        ignoreElements(),
      );
      return listening$.pipe(
        mergeMap((event): Observable<Signal> => {
          if (event.type === 'listening') {
            if (!isMute) report('connecting', 'connected, not proven yet');
            return merge(of(...catchUp), proof$);
          }
          if (event.channel !== HEARTBEAT_CHANNEL) return toSignals(event, log);
          if (event.payload !== undefined) heard$.next(event.payload);
          return EMPTY;
        }),
      );
    });

    return oneConnection$.pipe(
      retryForever({
        backoff,
        onFailure: (thrown, retryInMs) => {
          const error = toAppError(thrown);
          isMute = error.message === MUTE_MESSAGE;
          const reason = isMute ? 'NOTIFY was sent and not heard; on a transaction pooler (port 6543) LISTEN hears nothing: use the direct connection or port 5432' : error.message;
          log.warn({ err: error, reason, retryInMs }, 'LISTEN failed');
          report(isMute ? 'mute' : 'down', reason);
        },
        scheduler,
      }),
      finalize(() => report('down', 'stopped')),
    );
  });
}

const catchUp: readonly Signal[] = [
  { kind: 'user', authId: null, source: 'reconnect' },
  { kind: 'control', command: null, senderPid: null, source: 'reconnect' },
];

function toSignals({ channel, payload, senderPid }: Extract<ListenEvent, { type: 'notification' }>, log: Log): Observable<Signal> {
  if (channel === CHANGED_CHANNEL) return of({ kind: 'control', command: null, senderPid, source: 'control' });
  if (channel === CONTROL_CHANNEL) {
    const signal = toControlSignal(payload, senderPid);
    if (signal !== null) return of(signal);
    log.warn({ channel, payload: clipForLog(payload), senderPid, known: KNOWN_COMMANDS }, 'unknown control command dropped');
    return EMPTY;
  }
  const signal = toUserSignal(payload);
  if (signal !== null) return of(signal);
  log.warn({ channel, payload: clipForLog(payload), senderPid }, 'malformed notification dropped');
  return EMPTY;
}
