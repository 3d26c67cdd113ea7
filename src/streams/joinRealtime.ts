import type { SupabaseClient } from '@supabase/supabase-js';
import { Observable, defer, from, switchMap } from 'rxjs';
import { z } from 'zod';
import { AppError } from '../errors.js';
import { within } from '../waiting.js';

/** What the source needs of a supabase-js client; its schema types do not matter here. */
export type RealtimeHost = Pick<SupabaseClient, 'channel' | 'removeChannel' | 'realtime'>;

export type JoinEvent =
  /** The server accepted the channel. Says nothing about whether it will deliver. */
  | { readonly type: 'joined' }
  | { readonly type: 'wallet'; readonly record: unknown }
  | { readonly type: 'canary'; readonly record: unknown };

export interface JoinOptions {
  readonly client: RealtimeHost;
  /** For the socket, the join and the server's answer together, in milliseconds. */
  readonly joinWithinMs: number;
  /** How long leaving may take before the socket is closed under it, in milliseconds. */
  readonly leaveWithinMs: number;
}

/** The server tells of faults after the join (a table missing in the publication, say) in a message of its own. */
const systemShape = z.object({ status: z.string(), message: z.unknown().optional() });

/**
 * One Realtime channel on one socket, from its join to its loss: INSERTs on public.wallet and wallet_sync.canary. Never completes; errors once with an
 * AppError `network`. Unsubscribing leaves the channel and closes the socket; the next subscription waits for that, and joins under a new topic.
 *
 * supabase-js 2.109 (read in its source) rejoins channels and reconnects the socket itself, unjittered, and does not reconnect while a socket is
 * closing. A socket of its own for each attempt leaves one policy, the caller's, and rids it of half-open sockets.
 */
export function joinRealtime({ client, joinWithinMs, leaveWithinMs }: JoinOptions): Observable<JoinEvent> {
  let joins = 0;
  let leaving: Promise<void> = Promise.resolve();

  const channel$ = new Observable<JoinEvent>((subscriber) => {
    joins += 1;
    const fail = (message: string, cause?: unknown): void => {
      subscriber.error(new AppError('network', message, { where: 'Realtime channel', cause }));
    };
    const limit = setTimeout(() => fail('joining took too long'), joinWithinMs);
    const channel = client
      .channel(`wallet-sync-${joins}`)
      .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'wallet' }, (change) => subscriber.next({ type: 'wallet', record: change.new }))
      .on('postgres_changes', { event: 'INSERT', schema: 'wallet_sync', table: 'canary' }, (change) => subscriber.next({ type: 'canary', record: change.new }))
      .on('system', {}, (raw: unknown) => {
        const system = systemShape.safeParse(raw);
        if (system.success && system.data.status !== 'ok') fail(`the server refused: ${String(system.data.message).slice(0, 200)}`);
      });
    channel.subscribe((status, error) => {
      if (subscriber.closed) return;
      clearTimeout(limit);
      // The states are named as text here: they are values of an enum that supabase-js exports, and compare equal to it.
      if (String(status) === 'SUBSCRIBED') subscriber.next({ type: 'joined' });
      else fail(error === undefined ? status : `${status}: ${error.message}`, error);
    }, joinWithinMs);

    return () => {
      clearTimeout(limit);
      leaving = leave(client, channel, leaveWithinMs);
    };
  });
  return defer(() => from(leaving)).pipe(switchMap(() => channel$));
}

/** Leaves politely, then closes the socket in any case. Never rejects. */
async function leave(client: RealtimeHost, channel: ReturnType<RealtimeHost['channel']>, withinMs: number): Promise<void> {
  try {
    await within(withinMs, client.removeChannel(channel));
    // removeChannel leaves the channel's timers running when the server did not answer.
    channel.teardown();
    await within(withinMs, client.realtime.disconnect());
  } catch {
    // A socket that cannot be closed is already gone.
  }
}
