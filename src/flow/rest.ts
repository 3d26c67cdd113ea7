import type { z } from 'zod';
import { withDeadline } from '../deadline.js';
import { AppError } from '../errors.js';
import { readText } from '../bounds/readText.js';
import type { Log } from '../log.js';
import { classifyHttpFailure, classifyThrown } from './errors.js';
import type { CallKind, Limiter } from './limiter.js';
import { parseShape } from './shape.js';

/** Stands around each call as it goes out, past the limiter; what it gives and throws is the call's. */
export type CallWatch = <T>(call: () => Promise<T>) => Promise<T>;

/** How a call went, past the limiter. Bytes are those of the bodies, as they are before any compression. */
export interface CallEnd {
  readonly kind: CallKind;
  readonly durationMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** It was answered, and not with a refusal. */
  readonly isAnswered: boolean;
}

export interface RestOptions {
  /** Base URL, with or without a slash at the end. */
  readonly url: string;
  readonly limiter: Limiter;
  /** For one call, without its wait for room in the limiter. */
  readonly timeoutMs: number;
  readonly log: Log;
  /** Sees every call. Default: nobody. */
  readonly watch?: CallWatch;
  /** Told of each call when it has ended. Default: nobody. */
  readonly onCall?: (end: CallEnd) => void;
}

export interface RestCall {
  readonly kind: CallKind;
  /** Starts with /v1. */
  readonly path: string;
  /** Sent byte for byte by POST; without it the call is a GET. */
  readonly body?: string | Buffer;
  readonly priority?: number;
}

/** A script about 2,000 wallets answers with 0.1 MB, 250 blocks of a busy chain's events with some 10 MB. */
const MAX_ANSWER_BYTES = 32_000_000;

/** What came back: the status, and the body as it is. */
export interface RestAnswer {
  readonly status: number;
  readonly text: string;
}

export interface Rest {
  readonly url: string;
  /** One call, no retry. Gives 2xx and 404 answers; throws an AppError for all others and when no answer came. */
  call(call: RestCall): Promise<RestAnswer>;
  /** Calls started, and calls that wait for room, by kind. */
  calls(): ReturnType<Limiter['stats']>;
  close(): void;
}

/** The thin HTTP client of an access node's REST API: limiter, timeout and classification, and nothing else. */
export function createRest(options: RestOptions): Rest {
  const { limiter, timeoutMs, log } = options;
  const watch: CallWatch = options.watch ?? ((call) => call());
  const url = options.url.replace(/\/+$/, '');
  const where = new URL(url).host;
  const closing = new AbortController();

  async function send(call: RestCall): Promise<RestAnswer> {
    const started = performance.now();
    let [receivedBytes, isAnswered] = [0, false];
    try {
      const { answer, text } = await withDeadline(timeoutMs, closing.signal, async (signal) => {
        const answer = await fetch(url + call.path, {
          method: call.body === undefined ? 'GET' : 'POST',
          // A redirect makes a GET of a POST; whoever answers elsewhere is not the node that was chosen.
          redirect: 'manual',
          signal,
          ...(call.body === undefined ? {} : { body: call.body, headers: { 'content-type': 'application/json' } }),
        });
        return { answer, text: await readText(answer, { maxBytes: MAX_ANSWER_BYTES, where }) };
      });
      receivedBytes = Buffer.byteLength(text);
      isAnswered = answer.ok || answer.status === 404;
      log.trace({ kind: call.kind, path: call.path, status: answer.status, ms: Math.round(performance.now() - started) }, 'access node call');
      if (isAnswered) return { status: answer.status, text };
      throw classifyHttpFailure({ status: answer.status, text: readMessage(text), retryAfter: answer.headers.get('retry-after'), where });
    } catch (thrown) {
      if (closing.signal.aborted) throw new AppError('network', 'the connection to the access node is closed', { where });
      throw classifyThrown(thrown, where);
    } finally {
      options.onCall?.({ kind: call.kind, durationMs: performance.now() - started, sentBytes: call.body === undefined ? 0 : Buffer.byteLength(call.body), receivedBytes, isAnswered });
    }
  }

  return {
    url,
    call: (call) => limiter.run(call.kind, () => watch(() => send(call)), call.priority === undefined ? {} : { priority: call.priority }),
    calls: () => limiter.stats(),
    close: () => closing.abort(),
  };
}

/** The message of an error answer (`{"code": …, "message": …}`), or the text itself. */
function readMessage(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') return body.message;
  } catch {
    // Not JSON: a proxy's page, or nothing.
  }
  return text.trim();
}

/** An answer's JSON in its expected shape. Throws `data` when it is not: then this is no access node, or a version that differs. */
export function parseAnswer<T>(schema: z.ZodType<T>, answer: RestAnswer, where: string): T {
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch (cause) {
    throw new AppError('data', 'the access node gave an answer that is not JSON', { where, cause, mend: 'check that FLOW_ACCESS_NODE is a REST access node' });
  }
  return parseShape(schema, body, where);
}
