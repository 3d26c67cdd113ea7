import { z } from 'zod';
import { queryRows } from '../../journal/pool.js';
import { defineCheck, fail, worstOf, type Outcome } from '../check.js';

const MIGRATE = 'run `wallet-sync migrate` as the owner (MIGRATE_DATABASE_URL)';
/** Each with what is missed without it. */
const TRIGGERS: Readonly<Record<string, string>> = {
  zz_wallet_sync_sign_up: 'sign-ups ring nobody, and wait for the next sweep',
  zz_wallet_sync_user_change: 'who is confirmed later waits for the next sweep',
};

const triggerRow = z.object({ name: z.string(), enabled: z.string(), function: z.string(), definer: z.boolean(), config: z.array(z.string()), source: z.string() });

/** The triggers on auth.users ring, and no error of theirs can fail a sign-up. */
export const triggersCheck = defineCheck({
  name: 'triggers',
  needs: ['rights'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const rows = await queryRows(
      journal(),
      triggerRow,
      `select t.tgname as name, t.tgenabled::text as enabled, n.nspname || '.' || p.proname as function, p.prosecdef as definer, coalesce(p.proconfig, '{}') as config, p.prosrc as source
       from pg_trigger t
       join pg_class c on c.oid = t.tgrelid join pg_namespace s on s.oid = c.relnamespace
       join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
       where s.nspname = 'auth' and c.relname = 'users' and t.tgname = any($1)`,
      [Object.keys(TRIGGERS)],
    );
    const outcomes = Object.entries(TRIGGERS).map(([name, missed]): Outcome => {
      const trigger = rows.find((row) => row.name === name);
      if (trigger === undefined) return fail(`${name} is not there: ${missed}`, MIGRATE);
      if (!['O', 'A'].includes(trigger.enabled)) return fail(`${name} is disabled: ${missed}`, `alter table auth.users enable trigger ${name}, or ${MIGRATE}`);
      const faults = [
        ...(trigger.definer ? [] : ['does not run as its owner']),
        ...(trigger.config.some((each) => each === 'search_path=pg_catalog, pg_temp') ? [] : ['finds what others have named, by its search_path']),
        ...(trigger.config.some((each) => each.startsWith('lock_timeout=')) ? [] : ['may wait for locks without end']),
        ...(/exception\s+when\s+others/i.test(trigger.source) ? [] : ['does not swallow errors: one of them fails the sign-up']),
      ];
      return faults.length === 0 ? { state: 'ok', found: name } : fail(`${trigger.function} ${faults.join(', ')}`, MIGRATE);
    });
    return worstOf(outcomes, `${Object.keys(TRIGGERS).length} on auth.users, enabled; errors are swallowed`);
  },
});
