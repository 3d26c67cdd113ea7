import {
  EMPTY, asyncScheduler, catchError, defer, exhaustMap, filter, from, ignoreElements, map, merge, mergeMap, repeat, take, tap, throwError, timer,
  type Observable, type ObservableInput, type SchedulerLike,
} from 'rxjs';
import { AppError } from '../errors.js';

export interface EchoProofOptions {
  /** Every nonce that came in through the channel under test, own and foreign. Hot. */
  readonly heard$: Observable<string>;
  /** Sends a nonce by another way (another connection), so that only the channel under test can bring it back. */
  readonly send: (nonce: string) => ObservableInput<unknown>;
  /** A nonce that no other instance makes. */
  readonly newNonce: () => string;
  /** Pause between one proof and the next, in milliseconds. */
  readonly everyMs: number;
  /** How long the channel has to bring a nonce back, in milliseconds. */
  readonly withinMs: number;
  /** A nonce not heard is followed by another after this many milliseconds: one lost while the channel was just opening proves nothing. */
  readonly resendMs: number;
  /** Told when no nonce could be sent within the limit; null when the sending never answered. Says nothing about the channel. */
  readonly onUnsent: (error: unknown) => void;
  readonly scheduler?: SchedulerLike;
}

/** One proof that the channel delivers. */
export interface EchoProof {
  /** From sending to hearing, in milliseconds. */
  readonly latencyMs: number;
}

/** The error of a channel that is connected and delivers nothing. */
export const MUTE_MESSAGE = 'what was sent through it did not come back';

/**
 * Proves again and again that a channel delivers: sends a nonce and waits until the channel brings it back. The first at once.
 * Emits each proof; never completes; errors with an AppError `network` (MUTE_MESSAGE) when a nonce was sent and none came back in time.
 * Sending that fails is not the channel's fault: it is told to `onUnsent` and tried again.
 */
export function proveByEcho(options: EchoProofOptions): Observable<EchoProof> {
  const { heard$, send, newNonce, everyMs, withinMs, resendMs, onUnsent, scheduler = asyncScheduler } = options;

  const oneProof$ = defer(() => {
    const sentAt = new Map<string, number>();
    let sent = 0;
    let sendError: unknown = null;

    const hearing$ = heard$.pipe(
      filter((nonce) => sentAt.has(nonce)),
      map((nonce): EchoProof => ({ latencyMs: scheduler.now() - (sentAt.get(nonce) ?? 0) })),
    );
    const sending$ = timer(0, resendMs, scheduler).pipe(
      exhaustMap(() =>
        defer(() => {
          const nonce = newNonce();
          sentAt.set(nonce, scheduler.now());
          return from(send(nonce));
        }).pipe(
          tap({ complete: () => (sent += 1) }),
          ignoreElements(),
          catchError((error: unknown) => {
            sendError = error;
            return EMPTY;
          }),
        ),
      ),
    );
    const deadline$ = timer(withinMs, scheduler).pipe(
      mergeMap(() => {
        if (sent > 0) return throwError(() => new AppError('network', MUTE_MESSAGE));
        onUnsent(sendError);
        return [null];
      }),
    );
    // Hearing first: a nonce may come back while it is being sent.
    return merge(hearing$, sending$, deadline$).pipe(take(1));
  });

  return oneProof$.pipe(
    repeat({ delay: () => timer(everyMs, scheduler) }),
    filter((proof) => proof !== null),
  );
}
