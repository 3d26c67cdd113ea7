import { Webhook } from 'standardwebhooks';
import { withDeadline } from '../../deadline.js';
import { toAppError } from '../../errors.js';

/** A receiver that answers later has not answered. */
const TIMEOUT_MS = 15_000;
/** Of the answer's body so much is read, to keep the connection; what is longer closes it. */
const BODY_BYTES = 16_384;

/** What a receiver answered: a status, or why there is none. */
export type Answer = { readonly status: number; readonly retryAfterMs: number | null } | { readonly status: null; readonly reason: string };

export interface PostOptions {
  readonly url: string;
  readonly secret: string;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** Sends one message in the Standard Webhooks format: https://www.standardwebhooks.com. Redirects are not followed: they would carry it to another host. Never throws. */
export async function post(message: { readonly id: string; readonly body: string }, { url, secret, signal, timeoutMs = TIMEOUT_MS }: PostOptions): Promise<Answer> {
  const at = new Date();
  try {
    return await withDeadline(timeoutMs, signal, async (until) => {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        signal: until,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'flow-wallet-sync',
          'webhook-id': message.id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'webhook-signature': new Webhook(secret).sign(message.id, at, message.body),
        },
        body: message.body,
      });
      await drain(response).catch(() => undefined);
      return { status: response.status, retryAfterMs: readRetryAfter(response.headers.get('retry-after'), at.getTime()) };
    });
  } catch (thrown) {
    return { status: null, reason: reasonOf(thrown, timeoutMs) };
  }
}

async function drain(response: Response): Promise<void> {
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    // Leaving the loop cancels what is still to come.
    if (bytes > BODY_BYTES) return;
  }
}

/** Seconds, or a date. */
export function readRetryAfter(text: string | null, now: number): number | null {
  if (text === null) return null;
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

/** fetch hides what happened behind "fetch failed". */
function reasonOf(thrown: unknown, timeoutMs: number): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError') return `no answer within ${timeoutMs / 1_000} s`;
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : null;
  return code ?? toAppError(cause).message;
}
