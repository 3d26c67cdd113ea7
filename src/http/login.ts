import { Hono } from 'hono';
import { z } from 'zod';
import { readInput } from './answers.js';
import type { RouteEnv } from './deps.js';
import { addressOf, refuseForAWhile } from './guard.js';
import { LOGIN_PAGE, LOGIN_PAGE_WRONG } from './loginPage.js';
import type { TokenCheck } from './token.js';

const form = z.object({ token: z.string('is missing').max(1_000, 'is too long') });

/** GET and POST /login. Without a token there is nothing to log in to. */
export function loginRoutes(check: TokenCheck | null): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  routes.get('/', (c) => (check === null ? c.redirect('/', 303) : c.html(LOGIN_PAGE)));
  routes.post('/', async (c) => {
    if (check === null) return c.redirect('/', 303);
    const { token } = readInput(form, await c.req.parseBody(), 'form');
    const cookie = check.login(token, addressOf(c));
    if (cookie === null) return refuseForAWhile(c);
    if (cookie === false) return c.html(LOGIN_PAGE_WRONG, 401);
    c.header('set-cookie', cookie);
    return c.redirect('/', 303);
  });
  return routes;
}
