import { Hono, type HonoRequest } from 'hono';
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
    const { token } = readInput(form, await readForm(c.req), 'form');
    const cookie = check.login(token, addressOf(c));
    if (cookie === null) return refuseForAWhile(c);
    if (cookie === false) return c.html(LOGIN_PAGE_WRONG, 401);
    c.header('set-cookie', cameByTls(c.req.header('x-forwarded-proto')) ? `${cookie}; Secure` : cookie);
    return c.redirect('/', 303);
  });
  return routes;
}

/** The body as a form; of one that is none, nothing. */
async function readForm(request: HonoRequest): Promise<unknown> {
  return request.parseBody().catch(() => ({}));
}

/** What the proxy before it says of the caller. Nobody is trusted by that: who lies of it keeps only his own cookie off plain HTTP. */
function cameByTls(forwarded: string | undefined): boolean {
  return forwarded?.split(',')[0]?.trim().toLowerCase() === 'https';
}
