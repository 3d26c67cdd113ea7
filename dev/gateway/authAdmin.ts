import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import type { FaultState } from './faults.js';
import type { Keys } from './keys.js';
import { NewUserSchema, type Users } from './users.js';

const PageSchema = z.object({
  page: z.coerce.number().int().min(1).default(1),
  per_page: z.coerce.number().int().min(1).default(50),
});
const IdSchema = z.uuid();
const DeleteSchema = z.object({ should_soft_delete: z.boolean().default(false) });

/**
 * The Auth server's admin API below /auth/v1: list, read, create and delete users, with the statuses, bodies and headers captured
 * from GoTrue v2.196. Not there: identities (answered as null in lists and [] elsewhere), updates, invitations and links.
 */
export function createAuthAdmin(users: Users, keys: Keys, faults: FaultState): Hono {
  const app = new Hono();

  app.use('*', async (context, next) => {
    const failure = faults.takeAuthFailure();
    if (failure !== null) return refuse(context, failure, 'unexpected_failure', 'Internal Server Error');
    // Two layers, as hosted: the gateway wants some API key, the Auth server a service_role token.
    const bearer = /^Bearer (.+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    if (context.req.header('apikey') === undefined && bearer === undefined) return context.json({ message: 'No API key found in request' }, 401);
    if (bearer === undefined) return refuse(context, 401, 'no_authorization', 'This endpoint requires a valid Bearer token');
    try {
      if (keys.verify(bearer).role !== 'service_role') return refuse(context, 403, 'not_admin', 'User not allowed');
    } catch (error) {
      return refuse(context, 403, 'bad_jwt', `invalid JWT: unable to parse or verify signature, ${error instanceof Error ? error.message : String(error)}`);
    }
    return next();
  });

  app.get('/admin/users', async (context) => {
    const asked = PageSchema.safeParse(blankAsMissing(context.req.query()));
    if (!asked.success) return refuse(context, 400, 'validation_failed', 'Bad Pagination Parameters');
    const { page, per_page: perPage } = asked.data;
    const { users: found, total } = await users.list(page, perPage);
    context.header('X-Total-Count', String(total));
    context.header('Link', pageLinks(page, perPage, total));
    return context.json({ users: found, aud: 'authenticated' });
  });

  app.post('/admin/users', async (context) => {
    const asked = NewUserSchema.safeParse(await readBody(context));
    if (!asked.success) return refuse(context, 400, 'validation_failed', 'Could not parse request body');
    if (asked.data.email === undefined && asked.data.phone === undefined) {
      return refuse(context, 400, 'validation_failed', 'Cannot create a user without either an email or phone');
    }
    const user = await users.create(asked.data);
    if (user === null) return refuse(context, 422, 'email_exists', 'A user with this email address has already been registered');
    return context.json(user);
  });

  app.get('/admin/users/:id', async (context) => {
    const id = IdSchema.safeParse(context.req.param('id'));
    if (!id.success) return refuse(context, 404, 'validation_failed', 'user_id must be an UUID');
    const user = await users.find(id.data);
    return user === null ? refuse(context, 404, 'user_not_found', 'User not found') : context.json(user);
  });

  app.delete('/admin/users/:id', async (context) => {
    const id = IdSchema.safeParse(context.req.param('id'));
    if (!id.success) return refuse(context, 404, 'validation_failed', 'user_id must be an UUID');
    const body = await readBody(context);
    const asked = DeleteSchema.safeParse(body === null ? {} : body);
    if (!asked.success) return refuse(context, 400, 'validation_failed', 'Could not parse request body');
    const gone = await users.remove(id.data, asked.data.should_soft_delete);
    return gone ? context.json({}) : refuse(context, 404, 'user_not_found', 'User not found');
  });

  app.notFound((context) => context.text('404 page not found', 404));
  // A constraint or trigger that refuses, a database that is away: the real server says as little.
  app.onError((_, context) => refuse(context, 500, 'unexpected_failure', 'Database error'));
  return app;
}

/** `</admin/users?page=2&per_page=2>; rel="next", </admin/users?page=2&per_page=2>; rel="last"`; past the last page only `last`. */
function pageLinks(page: number, perPage: number, total: number): string {
  const last = Math.max(1, Math.ceil(total / perPage));
  const link = (to: number, rel: string): string => `</admin/users?page=${to}&per_page=${perPage}>; rel="${rel}"`;
  return page < last ? `${link(page + 1, 'next')}, ${link(last, 'last')}` : link(last, 'last');
}

function refuse(context: Context, status: number, code: string, message: string): Response {
  context.header('X-Sb-Error-Code', code);
  return context.json({ code: status, error_code: code, msg: message }, status as ContentfulStatusCode);
}

/** supabase-js sends `page=&per_page=` where nothing was asked. */
function blankAsMissing(query: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
}

/** The JSON body; null where there is none, undefined where it is no JSON. */
async function readBody(context: Context): Promise<unknown> {
  const text = await context.req.text();
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
