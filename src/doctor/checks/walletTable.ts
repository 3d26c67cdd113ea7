import { z } from 'zod';
import { queryRows } from '../../journal/pool.js';
import { defineCheck, fail, worstOf, type Outcome } from '../check.js';

const MIGRATE = 'run `wallet-sync migrate` as the owner (MIGRATE_DATABASE_URL)';

const tableRow = z.object({
  secured: z.boolean(),
  unique: z.boolean(),
  on_delete: z.string().nullable(),
  own_policy: z.boolean(),
  readers: z.array(z.string()),
  writers: z.array(z.string()),
});

/** public.wallet: one row a user, kept when he is deleted, his own to read, and his key nobody's. */
export const walletTableCheck = defineCheck({
  name: 'public.wallet',
  needs: ['rights'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const [table] = await queryRows(
      journal(),
      tableRow,
      `select c.relrowsecurity as secured,
         exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) as unique,
         (select f.confdeltype::text from pg_constraint f join pg_class u on u.oid = f.confrelid join pg_namespace s on s.oid = u.relnamespace
          where f.conrelid = c.oid and f.contype = 'f' and f.conkey = array[a.attnum] and s.nspname = 'auth' and u.relname = 'users' limit 1) as on_delete,
         exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'own wallet') as own_policy,
         array(select r.rolname::text from pg_roles r where r.rolname in ('anon', 'authenticated') and has_column_privilege(r.oid, c.oid, k.attnum, 'select')) as readers,
         array(select r.rolname::text from pg_roles r where r.rolname in ('anon', 'authenticated')
           and (has_table_privilege(r.oid, c.oid, 'delete') or has_any_column_privilege(r.oid, c.oid, 'insert') or has_any_column_privilege(r.oid, c.oid, 'update'))) as writers
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'auth_id' and not a.attisdropped
       join pg_attribute k on k.attrelid = c.oid and k.attname = 'flow_private_key' and not k.attisdropped
       where n.nspname = 'public' and c.relname = 'wallet'`,
    );
    if (table === undefined) return fail('it is not there, or lacks auth_id or flow_private_key', MIGRATE);
    const faults: Outcome[] = [
      ...(table.unique ? [] : [fail('auth_id has no unique index: a user could get two rows', MIGRATE)]),
      ...(table.on_delete === 'n' ? [] : [fail(table.on_delete === 'c' ? 'deleting a user deletes his wallet and key (on delete cascade)' : 'auth_id has no foreign key to auth.users with on delete set null', MIGRATE)]),
      ...(table.secured ? [] : [fail('row level security is off: users read each other\'s rows', `alter table public.wallet enable row level security, or ${MIGRATE}`)]),
      ...(table.own_policy ? [] : [fail('the policy "own wallet" is missing: users cannot read their rows', MIGRATE)]),
      ...(table.readers.length === 0 ? [] : [fail(`${table.readers.join(' and ')} may read flow_private_key`, `revoke select on public.wallet from ${table.readers.join(', ')}; then ${MIGRATE}`)]),
      ...(table.writers.length === 0 ? [] : [fail(`${table.writers.join(' and ')} may change rows`, `revoke insert, update, delete on public.wallet from ${table.writers.join(', ')}`)]),
    ];
    return worstOf(faults, 'one row a user, kept when he is deleted; row level security is on, keys are not shown');
  },
});
