import { z } from 'zod';
import { createAdminApi } from '../../users/adminApi.js';
import { defineCheck, fail, ok, warn, type Outcome } from '../check.js';

const MEND = 'set SUPABASE_SERVICE_ROLE_KEY to the service role key (secret) of the project that SUPABASE_URL names: dashboard, Settings, API keys';
const ANSWER_MS = 4_000;
const SOON_MS = 30 * 86_400_000;

/** What a project's legacy keys say of themselves; nothing of it is trusted, the Auth server decides. */
const claims = z.object({ role: z.string().optional(), ref: z.string().optional(), exp: z.number().optional() });

/** The key is a service role key, of this project, and the Auth server takes it. */
export const serviceKeyCheck = defineCheck({
  name: 'service role key',
  settings: ['SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY'],
  async examine({ now }, settings) {
    const said = judge(settings.SUPABASE_SERVICE_ROLE_KEY, new URL(settings.SUPABASE_URL).hostname, now());
    if (said?.state === 'fail') return said;
    const { total } = await createAdminApi({ settings, requestTimeoutMs: ANSWER_MS }).list(1, 1, AbortSignal.timeout(ANSWER_MS));
    return said ?? ok(`the Auth server takes it, and counts ${total} users`);
  },
});

/** What can be told without asking: the wrong kind of key, another project's, one that has run out. */
function judge(key: string, host: string, now: number): Outcome | null {
  if (key.startsWith('sb_publishable_')) return fail('it is the publishable key', MEND);
  const { role, ref, exp } = readClaims(key) ?? {};
  if (role !== undefined && role !== 'service_role') return fail(`it is a key of role ${role}`, MEND);
  const project = /^([a-z0-9]+)\.supabase\.(co|in)$/.exec(host)?.[1];
  if (ref !== undefined && project !== undefined && ref !== project) return fail(`it is of project ${ref}, and SUPABASE_URL names ${project}`, MEND);
  if (exp === undefined) return null;
  const day = new Date(exp * 1_000).toISOString().slice(0, 10);
  if (exp * 1_000 <= now) return fail(`it ran out on ${day}`, MEND);
  return exp * 1_000 < now + SOON_MS ? warn(`it runs out on ${day}`, 'make a new one in time') : null;
}

function readClaims(key: string): z.output<typeof claims> | null {
  const [, body] = key.split('.');
  if (body === undefined) return null;
  try {
    return claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString())).data ?? null;
  } catch {
    return null;
  }
}
