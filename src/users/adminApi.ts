import type { GoTrueAdminApi } from '@supabase/supabase-js';
import { z } from 'zod';
import { AppError, toAppError } from '../errors.js';
import { readText } from '../bounds/readText.js';
import type { Settings } from '../settings.js';
import type { Telemetry } from '../telemetry/events.js';
import { tlsMendOf } from '../tlsMend.js';

export interface AdminApiOptions {
  readonly settings: Pick<Settings, 'SUPABASE_URL' | 'SUPABASE_SERVICE_ROLE_KEY'>;
  /** How long one request may take, its answer's last byte included, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Told of each request when it has ended. Default: nobody. */
  readonly telemetry?: Pick<Telemetry, 'emit'>;
}

const userShape = z.object({
  id: z.guid().toLowerCase(),
  email: z.string().nullish(),
  created_at: z.string(),
  email_confirmed_at: z.string().nullish(),
  phone_confirmed_at: z.string().nullish(),
  deleted_at: z.string().nullish(),
  is_anonymous: z.boolean().nullish(),
});
const listShape = z.object({ users: z.array(userShape), total: z.number().int().nonnegative() });

export type AuthUser = z.output<typeof userShape>;

/** What the listing needs of the Auth server's admin API. Every failure is thrown as an AppError: `network` and `rate-limit` pass. */
export interface AdminApi {
  /** One page, counted from 1, the newest users first, soft-deleted ones too. `total`: all users, by the server's count of a moment before. */
  list(page: number, perPage: number, signal: AbortSignal): Promise<z.output<typeof listShape>>;
  /** Whether the server says that it knows no such user. */
  isGone(id: string, signal: AbortSignal): Promise<boolean>;
}

/**
 * Speaks to the Auth server through supabase-js. That reports neither Retry-After nor a body that was cut short, and prints a request that failed
 * to the console, so each call is given a `fetch` of its own, which notes what went wrong.
 */
export function createAdminApi({ settings, requestTimeoutMs = 30_000, telemetry }: AdminApiOptions): AdminApi {
  const key = settings.SUPABASE_SERVICE_ROLE_KEY;
  const url = new URL('auth/v1', settings.SUPABASE_URL.replace(/\/*$/, '/')).href;

  async function call<T>(signal: AbortSignal, work: (api: GoTrueAdminApi) => Promise<T>): Promise<T> {
    let fault: AppError | null = null;
    const fetchOnce: typeof fetch = async (input, init) => {
      const startedAt = performance.now();
      let receivedBytes = 0;
      try {
        const { response, bytes } = await fetchWhole(input, { ...init, signal }, requestTimeoutMs);
        receivedBytes = bytes;
        return response;
      } catch (thrown) {
        fault = toAppError(thrown);
        return Response.json({}, { status: 503 });
      } finally {
        telemetry?.emit({ kind: 'call-done', peer: 'supabase', call: 'users', durationMs: performance.now() - startedAt, sentBytes: 0, receivedBytes, isAnswered: fault === null });
      }
    };
    // 0.2 s to import: no start waits for it.
    const { GoTrueAdminApi: Api } = await import('@supabase/supabase-js');
    const api = new Api({ url, headers: { apikey: key, authorization: `Bearer ${key}` }, fetch: fetchOnce });
    const noted = (): AppError | null => fault;
    try {
      const result = await work(api);
      signal.throwIfAborted();
      const failure = noted();
      if (failure !== null) throw failure;
      return result;
    } catch (thrown) {
      signal.throwIfAborted();
      // What supabase-js makes of an answer that it doesn't understand is no AppError.
      throw thrown instanceof AppError ? thrown : (noted() ?? new AppError('data', `its answer is not understood: ${toAppError(thrown).message}`, { where: 'Auth server', cause: thrown }));
    }
  }

  return {
    async list(page, perPage, signal) {
      const { data, error } = await call(signal, (api) => api.listUsers({ page, perPage }));
      const parsed = listShape.safeParse(data);
      if (error === null && parsed.success) {
        // Or the first user of all signed up between the count and the list: asked again, it is there.
        if (parsed.data.total === 0 && parsed.data.users.length > 0) throw new AppError('network', 'its answer names no total (X-Total-Count and Link)', { where: 'Auth server' });
        return parsed.data;
      }
      const why = error?.message ?? parsed.error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).slice(0, 3).join('; ');
      throw new AppError('data', `its list of users has another shape: ${why ?? 'unknown'}`, { where: 'Auth server' });
    },
    async isGone(id, signal) {
      try {
        const { data, error } = await call(signal, (api) => api.getUserById(id));
        if (error === null && data.user?.id === id) return false;
        throw new AppError('data', 'its answer about a user is about none', { where: 'Auth server' });
      } catch (thrown) {
        // A gateway's own 404, as of a wrong path, says nothing about a user.
        if (thrown instanceof AppError && thrown.cause instanceof NoSuchUser) return true;
        throw thrown;
      }
    },
  };
}

/** 20,000 users at 1 kB are 20 MB; what an application keeps with each user is its own, and can be more. */
const MAX_ANSWER_BYTES = 128_000_000;

class NoSuchUser extends Error {}

/** One request and its whole answer. Throws an AppError for each answer that is no success, and for none. */
async function fetchWhole(input: string | URL | Request, init: RequestInit & { signal: AbortSignal }, timeoutMs: number): Promise<{ response: Response; bytes: number }> {
  const limit = new AbortController();
  const stop = (): void => limit.abort();
  const timer = setTimeout(stop, timeoutMs);
  init.signal.addEventListener('abort', stop);
  try {
    if (init.signal.aborted) stop();
    // A redirect is not followed: fetch takes Authorization off for another host, and sends it `apikey`, which is the same key.
    const response = await fetch(input, { ...init, redirect: 'manual', signal: limit.signal });
    const body = await readText(response, { maxBytes: MAX_ANSWER_BYTES, where: 'Auth server' });
    if (!response.ok) throw toRefusal(response, body);
    if (!isJson(body)) throw new AppError('network', 'its answer was cut short, or is no JSON', { where: 'Auth server' });
    return { response: new Response(body, { status: response.status, headers: response.headers }), bytes: Buffer.byteLength(body) };
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    const reason = limit.signal.aborted ? `no answer within ${timeoutMs / 1_000} s` : reasonOf(thrown);
    throw new AppError('network', reason, { where: 'Auth server', cause: thrown, mend: tlsMendOf(codeOf(thrown)) ?? 'check SUPABASE_URL, and that the project is not paused' });
  } finally {
    clearTimeout(timer);
    init.signal.removeEventListener('abort', stop);
  }
}

const refusalShape = z.object({ error_code: z.string().optional(), code: z.union([z.string(), z.number()]).optional(), msg: z.string().optional(), message: z.string().optional() });

/** 429 and what a server or gateway says when it is overloaded pass; a refused key doesn't. */
function toRefusal(response: Response, body: string): AppError {
  const said = refusalShape.safeParse(isJson(body) ? JSON.parse(body) : {}).data ?? {};
  const code = said.error_code ?? (typeof said.code === 'string' ? said.code : undefined);
  const message = `${response.status}${code === undefined ? '' : ` ${code}`}: ${(said.msg ?? said.message ?? response.statusText).slice(0, 200)}`;
  const details = { where: 'Auth server', ...retryAfterOf(response) };
  if (response.status === 429) return new AppError('rate-limit', message, details);
  if (response.status === 401 || response.status === 403) {
    return new AppError('usage', message, { where: 'SUPABASE_SERVICE_ROLE_KEY', mend: "set it to the service role key (secret) of the project that SUPABASE_URL names; the anon key won't do" });
  }
  if (response.status === 404 && code === 'user_not_found') return new AppError('data', message, { ...details, cause: new NoSuchUser() });
  if (response.status >= 300 && response.status < 400) return new AppError('usage', `${response.status}: redirects are not followed, they would carry the service role key elsewhere`, { where: 'SUPABASE_URL', mend: 'set it to the URL of the project itself' });
  if (response.status >= 500 || response.status === 408) return new AppError('network', message, details);
  return new AppError('data', message, { ...details, mend: 'check SUPABASE_URL: it must be the URL of the project alone' });
}

/** Retry-After is a number of seconds, or a date. */
function retryAfterOf(response: Response): { retryAfterMs?: number } {
  const text = response.headers.get('retry-after');
  if (text === null) return {};
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? { retryAfterMs: ms } : {};
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Node's code of what ended the connection. */
function codeOf(thrown: unknown): string | undefined {
  const { cause } = thrown instanceof Error ? thrown : { cause: undefined };
  return (cause as NodeJS.ErrnoException | undefined)?.code;
}

/** fetch says "fetch failed" and keeps the reason as its cause. */
function reasonOf(thrown: unknown): string {
  const { cause } = thrown instanceof Error ? thrown : { cause: undefined };
  return toAppError(cause ?? thrown).message || 'the connection failed';
}
