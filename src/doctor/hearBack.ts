import { randomUUID } from 'node:crypto';
import { EMPTY, Subject, firstValueFrom, from, mergeMap, type Observable } from 'rxjs';
import { toAppError } from '../errors.js';
import { proveByEcho } from '../streams/echoProof.js';

export interface HearBackOptions<Event> {
  /** The channel's events, from its opening on. */
  readonly events$: Observable<Event>;
  /** Whether the event says that the channel is open. */
  readonly isOpen: (event: Event) => boolean;
  /** The nonce that the event brings, if it brings one. */
  readonly nonceOf: (event: Event) => string | null;
  /** Sends a nonce by another connection. */
  readonly send: (nonce: string) => Promise<unknown>;
  readonly withinMs: number;
}

/**
 * Opens a channel, sends a nonce by another way and waits until the channel brings it back, as the daemon's sources do. Gives the milliseconds from
 * sending to hearing. Throws `network` (MUTE_MESSAGE) where nothing comes back, and what opening or sending throws.
 */
export async function hearBack<Event>({ events$, isOpen, nonceOf, send, withinMs }: HearBackOptions<Event>): Promise<number> {
  const heard$ = new Subject<string>();
  const proof$ = proveByEcho({
    heard$,
    send: (nonce) => from(send(nonce)),
    newNonce: randomUUID,
    everyMs: withinMs,
    withinMs,
    resendMs: Math.ceil(withinMs / 4),
    onUnsent: (error) => heard$.error(toAppError(error ?? 'nothing could be sent')),
  });
  const { latencyMs } = await firstValueFrom(
    events$.pipe(
      mergeMap((event) => {
        if (isOpen(event)) return proof$;
        const nonce = nonceOf(event);
        if (nonce !== null) heard$.next(nonce);
        return EMPTY;
      }),
    ),
  );
  return latencyMs;
}
