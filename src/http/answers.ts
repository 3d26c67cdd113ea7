import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { z } from 'zod';
import { AppError, toAppError, type ErrorKind } from '../errors.js';
import type { Log } from '../log.js';

/** The caller's fault, a peer's, or ours. */
const STATUS: Readonly<Partial<Record<ErrorKind, ContentfulStatusCode>>> = { usage: 400, data: 409, network: 503, 'rate-limit': 503 };

/** Says no: what is wrong, where, and what mends it. */
export function refuse(c: Context, status: ContentfulStatusCode, error: string, mend: string, where?: string): Response {
  return c.json({ error, ...(where === undefined ? {} : { where }), mend }, status);
}

/** Whatever a route threw, as an answer. What is no AppError may have anything in its text: that goes to the log alone. */
export function answerError(c: Context, thrown: unknown, log: Log): Response {
  const error = toAppError(thrown);
  const status = STATUS[error.kind] ?? 500;
  if (status >= 500) log.warn({ path: c.req.path, kind: error.kind, where: error.where, reason: error.message }, 'http answer failed');
  if (error.kind === 'internal' && !(thrown instanceof AppError)) return refuse(c, 500, 'a fault of this program', "see the instance's log");
  return refuse(c, status, error.message, error.mend ?? 'see the instance\'s log', error.where);
}

/** Checks what came from outside. Throws `usage` that names what is wrong and never repeats it. */
export function readInput<S extends z.ZodType>(schema: S, input: unknown, where: string): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError('usage', parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter((text) => text !== '').join(' ')).join('; '), { where, mend: 'correct the request' });
}
