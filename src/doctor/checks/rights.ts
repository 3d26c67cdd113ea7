import { z } from 'zod';
import { queryOne, queryRows } from '../../journal/pool.js';
import { defineCheck, fail, ok, warn } from '../check.js';
import { readGrants } from '../grants.js';

const MEND = 'connect as wallet_sync_service (DATABASE_URL), and run `wallet-sync migrate` as the owner (MIGRATE_DATABASE_URL): it grants them';
/** Missing ones named at most. */
const NAMED = 5;

/** The role may do what sql/ lets the daemon do, and no more than it needs. */
export const rightsCheck = defineCheck({
  name: 'rights',
  needs: ['database'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const db = journal();
    const role = await queryOne(
      db,
      z.object({ name: z.string(), mighty: z.boolean(), enters: z.boolean().nullable() }),
      `select r.rolname as name, r.rolsuper or r.rolbypassrls as mighty,
         (select has_schema_privilege(n.oid, 'usage') from pg_namespace n where n.nspname = 'wallet_sync') as enters
       from pg_roles r where r.rolname = current_user`,
    );
    if (role.enters === null) return fail('schema wallet_sync is not there', 'run `wallet-sync migrate`');
    if (!role.enters) return fail(`${role.name} may not use schema wallet_sync`, MEND);
    const grants = await readGrants();
    const rows = await queryRows(
      db,
      z.object({ place: z.number(), granted: z.boolean().nullable() }),
      `select g.ordinality as place, case g."on"
         when 'schema' then has_schema_privilege(to_regnamespace(g.object)::oid, g.privilege)
         when 'function' then has_function_privilege(to_regprocedure(g.object)::oid, g.privilege)
         when 'sequence' then has_sequence_privilege(to_regclass(g.object)::oid, g.privilege)
         else case when g."column" is null then has_table_privilege(to_regclass(g.object)::oid, g.privilege)
           else has_column_privilege(to_regclass(g.object)::oid, g."column", g.privilege) end
       end as granted
       from rows from (jsonb_to_recordset($1::jsonb) as ("on" text, object text, privilege text, "column" text)) with ordinality as g("on", object, privilege, "column", ordinality)`,
      [JSON.stringify(grants)],
    );
    const missing = rows.flatMap(({ place, granted }) => {
      const grant = grants[place - 1];
      return granted === true || grant === undefined ? [] : [`${grant.privilege}${grant.column === null ? '' : ` (${grant.column})`} on ${grant.object}`];
    });
    if (missing.length > 0) return fail(`${role.name} lacks ${missing.slice(0, NAMED).join(', ')}${missing.length > NAMED ? ` and ${missing.length - NAMED} more` : ''}`, MEND);
    if (role.mighty) return warn(`${role.name} may read and change everything`, 'connect as wallet_sync_service, which can do what the daemon needs and nothing else');
    return ok(`${role.name} has the ${grants.length} rights it needs`);
  },
});
