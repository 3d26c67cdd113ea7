import { claimWebhooks, settleWebhook, type ClaimedWebhook } from '../../journal/webhooks.js';
import type { Settings } from '../../settings.js';
import type { Instance } from '../instance.js';
import { nextAttempt } from './next.js';
import { post } from './post.js';

/** Messages under way at once, from one instance. */
const AT_ONCE = 8;
/** Longer than an attempt can take: then its instance is dead, and the message is another's. */
const LEASE_MS = 60_000;

export type WebhookInstance = Pick<Instance, 'journal' | 'log' | 'now'> & { readonly settings: Pick<Settings, 'NETWORK'> };

export interface DeliverOptions {
  readonly url: string;
  readonly secret: string;
  /** Ends what is under way: it is then delivered by the next who looks. */
  readonly signal: AbortSignal;
  /** Default 60,000; longer than `timeoutMs`. */
  readonly leaseMs?: number;
  readonly timeoutMs?: number;
  /** Default 5,000. */
  readonly firstRetryMs?: number;
}

/**
 * Delivers what is due, until nothing is: at least once each. A message that was delivered but not recorded, because its instance died
 * in between, is delivered again under the same id. Messages come in no order.
 */
export function createDelivery(instance: WebhookInstance, options: DeliverOptions): () => Promise<void> {
  const { journal, log, settings, now } = instance;
  const { url, secret, signal, leaseMs = LEASE_MS } = options;
  let isFailing = false;

  /** Told when it changes, not for each message. */
  const tell = (error: string | null): void => {
    if (isFailing === (error !== null)) return;
    isFailing = error !== null;
    if (error === null) log.info('webhook receiver answers again');
    else log.warn({ reason: error, mend: 'nothing is lost: it is tried again for a day; `wallet-sync status` tells how many wait' }, 'webhook not delivered');
  };

  const deliver = async (claimed: ClaimedWebhook): Promise<void> => {
    const answer = await post({ id: claimed.id, body: bodyOf(claimed, settings.NETWORK) }, { url, secret, signal, ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }) });
    if (signal.aborted && answer.status === null) return settleWebhook(journal, claimed, { kind: 'again', error: 'its instance stopped', afterMs: 0 });
    const attempt = nextAttempt(answer, { attempts: claimed.attempts, ageMs: now() - claimed.createdAt.getTime(), random: Math.random(), ...(options.firstRetryMs === undefined ? {} : { firstMs: options.firstRetryMs }) });
    await settleWebhook(journal, claimed, attempt);
    tell(attempt.kind === 'delivered' ? null : attempt.error);
    if (attempt.kind === 'failed') log.error({ authId: claimed.authId, webhookId: claimed.id, attempts: claimed.attempts, reason: attempt.error, mend: 'mend the receiver; the application finds the address in public.wallet' }, 'webhook failed');
  };

  return async () => {
    while (!signal.aborted) {
      const claimed = await claimWebhooks(journal, AT_ONCE, leaseMs);
      const ended = await Promise.allSettled(claimed.map(deliver));
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
      if (claimed.length < AT_ONCE) return;
    }
  };
}

/** What a receiver gets: type, time and data, as Standard Webhooks asks for. The same bytes at each attempt. */
function bodyOf({ authId, address, readyAt }: ClaimedWebhook, network: string): string {
  const at = readyAt.toISOString();
  return JSON.stringify({ type: 'wallet.ready', timestamp: at, data: { auth_id: authId, address, network, at } });
}
