import { countAuthUsers } from '../../journal/authUsers.js';
import { createAdminApi } from '../../users/adminApi.js';
import { defineCheck, fail, ok, warn } from '../check.js';

const ANSWER_MS = 4_000;

/** Postgres and the Auth server know the same users. */
export const userCountsCheck = defineCheck({
  name: 'users',
  needs: ['migrations', 'service role key'],
  settings: ['DATABASE_URL', 'SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'USER_SOURCE'],
  async examine({ journal }, settings) {
    const db = journal();
    const { listed: before } = await countAuthUsers(db);
    const { total } = await createAdminApi({ settings, requestTimeoutMs: ANSWER_MS }).list(1, 1, AbortSignal.timeout(ANSWER_MS));
    const { listed: after } = await countAuthUsers(db);
    // Some may sign up, or leave, between the counts.
    if (total >= Math.min(before, after) && total <= Math.max(before, after)) return ok(`${total} in Postgres and in the Auth server`);
    const counts = `${after} in Postgres, ${total} in the Auth server`;
    if (after > total) return fail(counts, 'DATABASE_URL and SUPABASE_URL name different projects: correct one of them');
    if (after > 0) return fail(counts, 'DATABASE_URL and SUPABASE_URL name different projects, or row level security hides users from the functions of wallet_sync: correct the one, or migrate as a role that bypasses it (postgres on Supabase)');
    const found = `${counts}: row level security hides them from the functions of wallet_sync, or DATABASE_URL is another project's`;
    if (settings.USER_SOURCE === 'admin-api') return warn(found, 'as USER_SOURCE=admin-api wants it; make sure that both URLs name one project');
    return fail(found, 'migrate as a role that bypasses row level security (postgres on Supabase), or correct DATABASE_URL; USER_SOURCE=admin-api does without');
  },
});
