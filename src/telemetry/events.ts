import type { Observable } from 'rxjs';
import type { ErrorKind } from '../errors.js';
import type { Log } from '../log.js';
import { GuardedEvents } from './guardedEvents.js';

/** A user was given his account. */
export interface WalletReady {
  readonly kind: 'wallet-ready';
  readonly authId: string;
  readonly address: string;
  /** Which source led to it; `trigger` is his own sign-up. */
  readonly source: string;
  /** The account was free before he signed up. */
  readonly fromPool: boolean;
  /** From his row in public.wallet to the account, by the database's clock. */
  readonly waitedMs: number;
}

/** A signed transaction was committed to the journal; it is about to be broadcast. */
export interface TransactionRecorded {
  readonly kind: 'transaction-recorded';
  readonly txId: string;
  readonly does: string;
  readonly members: number;
}

/** A transaction's end was recorded by this instance. */
export interface TransactionEnded {
  readonly kind: 'transaction-ended';
  readonly txId: string;
  readonly does: string;
  readonly end: 'sealed' | 'failed' | 'given up';
  /** Of one that was not sealed. */
  readonly error: ErrorKind | null;
  readonly members: number;
  /** From its record. */
  readonly durationMs: number;
}

/** A script has looked at so many wallets. */
export interface ScriptDone {
  readonly kind: 'script-done';
  readonly addresses: number;
  /** Its wait for room in the limiter included. */
  readonly durationMs: number;
}

/** What a sweep that has ended spent in one of its stages, over all its pages; stages overlap. */
export interface StageDone {
  readonly kind: 'stage-done';
  readonly stage: string;
  readonly durationMs: number;
}

/** A sweep has ended; a resumed one counts from its first start. */
export interface SweepDone {
  readonly kind: 'sweep-done';
  readonly cycle: number;
  readonly durationMs: number;
}

/** A source has said something. */
export interface SignalHeard {
  readonly kind: 'signal-heard';
  readonly source: string;
  readonly signal: string;
}

/** A source that was not well has proved itself again. */
export interface SourceReconnected {
  readonly kind: 'source-reconnected';
  readonly source: string;
}

/** A call to the access node has passed the limiter. */
export interface LimiterWaited {
  readonly kind: 'limiter-waited';
  readonly call: string;
  readonly waitedMs: number;
}

/** A call to a peer over HTTP has ended. Bytes are those of the bodies. */
export interface CallDone {
  readonly kind: 'call-done';
  readonly peer: 'access-node' | 'supabase';
  readonly call: string;
  readonly durationMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** It was answered, and not with a refusal. */
  readonly isAnswered: boolean;
}

/** Some work of the reactor has failed; state says what is still to be done. */
export interface WorkFailed {
  readonly kind: 'work-failed';
  readonly work: string;
  readonly error: ErrorKind;
}

/** What happens in an instance, as those who watch it are told. Names users and addresses, never a secret. */
export type ServiceEvent =
  | WalletReady | TransactionRecorded | TransactionEnded | ScriptDone | StageDone | SweepDone | SignalHeard | SourceReconnected | LimiterWaited | CallDone | WorkFailed;

/** Handlers emit, whoever watches listens; no handler listens. */
export interface Telemetry {
  /** Returns at once: listeners are called in a later turn of the event loop, so that none of them can slow or fail who emits. */
  emit(event: ServiceEvent): void;
  /** In the order of their emission. A listener that throws harms no other, and is logged once. */
  readonly events$: Observable<ServiceEvent>;
}

/** One for each instance. `log` hears of listeners that throw. */
export function createTelemetry(log?: Log): Telemetry {
  let listeners: readonly ((event: ServiceEvent) => void)[] = [];
  let emitted: ServiceEvent[] = [];
  const deliver = (): void => {
    const events = emitted;
    emitted = [];
    for (const event of events) for (const listener of listeners) listener(event);
  };
  const onThrown = (error: unknown): void => log?.error({ err: error }, 'telemetry listener failed');
  return {
    emit(event) {
      if (listeners.length === 0) return;
      if (emitted.length === 0) setImmediate(deliver);
      emitted.push(event);
    },
    events$: new GuardedEvents<ServiceEvent>(onThrown, (subscriber) => {
      const listener = (event: ServiceEvent): void => subscriber.next(event);
      listeners = [...listeners, listener];
      return () => (listeners = listeners.filter((other) => other !== listener));
    }),
  };
}
