import type { Attempt } from '../../journal/webhooks.js';
import type { Answer } from './post.js';

/** The first pause; each is three times the one before, up to an hour. */
const FIRST_MS = 5_000;
const LONGEST_MS = 3_600_000;
/** The message itself is refused, or nobody is there for ever. */
const FINAL: ReadonlySet<number> = new Set([400, 410, 422]);
/** After so long a message is given up. */
const GIVEN_UP_MS = 86_400_000;

export interface NextOptions {
  /** Of this message, the one that was answered included. */
  readonly attempts: number;
  /** Since the message was written. */
  readonly ageMs: number;
  /** From 0 to 1: spreads the attempts of many messages. */
  readonly random: number;
  readonly firstMs?: number;
}

/**
 * What follows from an answer. 2xx: delivered. 400, 410 and 422: failed, for the same message would be refused again. All
 * else is tried again, later and later, not before a Retry-After of at most an hour, for a day: a receiver that is down or newly deployed, whose secret or
 * firewall is being mended, or whose redirect must become WEBHOOK_URL.
 */
export function nextAttempt(answer: Answer, { attempts, ageMs, random, firstMs = FIRST_MS }: NextOptions): Attempt {
  const { status } = answer;
  if (status !== null && status >= 200 && status < 300) return { kind: 'delivered' };
  const error = status === null ? `no answer: ${answer.reason}` : `HTTP ${status}${status >= 300 && status < 400 ? ': redirects are not followed, set WEBHOOK_URL to where it leads' : ''}`;
  if (status !== null && FINAL.has(status)) return { kind: 'failed', error };
  const pauseMs = Math.min(LONGEST_MS, firstMs * 3 ** Math.min(attempts - 1, 20)) * (0.8 + 0.4 * random);
  const afterMs = Math.round(Math.max(pauseMs, answer.status === null ? 0 : Math.min(LONGEST_MS, answer.retryAfterMs ?? 0)));
  return ageMs > GIVEN_UP_MS ? { kind: 'failed', error: `${error}; given up after a day` } : { kind: 'again', error, afterMs };
}
