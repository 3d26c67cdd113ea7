import type { Context, MiddlewareHandler } from 'hono';
import { isLoopback } from '../loopback.js';
import { refuse } from './answers.js';
import type { RouteEnv } from './deps.js';
import { LOGIN_PAGE } from './loginPage.js';
import type { TokenCheck } from './token.js';

const HEALTH = '/healthz';
/** Where one becomes known. */
const LOGIN = '/login';
/** What a person opens, in a place for pages. */
const PAGES = new Set(['/', LOGIN]);

/** Who called, as the socket knows it. */
export const addressOf = (c: Context<RouteEnv>): string => c.env.incoming.socket.remoteAddress ?? 'unknown';

/** Lets in who knows the token. */
export function requireToken(check: TokenCheck): MiddlewareHandler<RouteEnv> {
  return async (c, next) => {
    if (c.req.path === HEALTH || c.req.path === LOGIN) return next();
    const admitted = check.admits({ authorization: c.req.header('authorization'), cookie: c.req.header('cookie') }, addressOf(c));
    if (admitted === true) return next();
    if (admitted === null) return refuseForAWhile(c);
    if (c.req.path === '/') return c.html(LOGIN_PAGE, 401);
    c.header('www-authenticate', 'Bearer realm="wallet-sync"');
    return refuse(c, 401, 'this needs the token', 'send HTTP_TOKEN as `Authorization: Bearer …`, or log in at /login');
  };
}

/** Says no to an address that was wrong too often. */
export function refuseForAWhile(c: Context<RouteEnv>): Response {
  c.header('retry-after', '60');
  return refuse(c, 429, 'too many wrong tokens from this address', 'wait a minute');
}

/** Without a token whoever is on this machine may do all; a page from elsewhere that has its name point here may not. */
export const requireLoopbackName: MiddlewareHandler<RouteEnv> = async (c, next) => {
  const host = hostnameOf(c.req.header('host') ?? '');
  if (host !== null && isLoopback(host)) return next();
  return refuse(c, 403, 'the Host header does not name this machine', 'open it as http://127.0.0.1, or set HTTP_TOKEN to reach it by another name');
};

/** What a browser sends for another site's page is refused, but for opening a page. A caller that is no browser says nothing of either. */
export const requireSameOrigin: MiddlewareHandler<RouteEnv> = async (c, next) => {
  if (c.req.method === 'GET' && PAGES.has(c.req.path)) return next();
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  // A page on another port of this machine is same-site, and another's. A form of our own says `null`: our pages send no referrer.
  const isOurOrigin = origin === undefined || (origin === 'null' && site === 'same-origin') || hostOf(origin) === c.req.header('host')?.toLowerCase();
  const isOwn = isOurOrigin && (site === undefined || site === 'same-origin' || site === 'none');
  if (isOwn) return next();
  return refuse(c, 403, "another site's page asks for this", 'use the dashboard, or a program that is no browser');
};

/** A form of another site's page can't send JSON without asking first. */
export const requireJson: MiddlewareHandler<RouteEnv> = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD' || /^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) return next();
  return refuse(c, 415, 'the body must be JSON', 'send it with content-type: application/json');
};

const MAX_BODY_BYTES = 10 * 1_024;

/** What is sent says how long it is, which Node holds it to, and that is little. */
export const limitBody: MiddlewareHandler<RouteEnv> = async (c, next) => {
  if (c.req.header('transfer-encoding') !== undefined) return refuse(c, 411, 'the body does not say how long it is', 'send it with content-length');
  if (Number(c.req.header('content-length') ?? 0) > MAX_BODY_BYTES) return refuse(c, 413, `the body is larger than ${MAX_BODY_BYTES / 1_024} kB`, 'send less');
  return next();
};

const hostOf = (url: string): string | null => (URL.canParse(url) ? new URL(url).host : null);
const hostnameOf = (host: string): string | null => (URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : null);
