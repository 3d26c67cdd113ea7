import type { MiddlewareHandler } from 'hono';
import type { RouteEnv } from './deps.js';

/** For every answer. The page runs its own scripts and talks to its own server, and nothing else. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
};

/** What an API says is true now, and for whoever asked. */
export const NO_STORE = 'no-store';

/** Sets them on whatever the routes answer; nothing is stored by others unless the route says how. */
export const securityHeaders: MiddlewareHandler<RouteEnv> = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
  if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', NO_STORE);
};
