import { z } from 'zod';
import { queryOne } from '../../journal/pool.js';
import { defineCheck, fail, warn, worstOf, type Outcome } from '../check.js';

const MIGRATE = 'run `wallet-sync migrate` as the owner (MIGRATE_DATABASE_URL)';
/** Of each kind, named at most. */
const NAMED = 5;

const names = z.array(z.string());
const exposureRow = z.object({ entering: names, counting: names, views: names, functions: names, policies: names });

/**
 * A policy's condition that shows a user his own row, as Postgres writes it: auth.uid(), bare or as a subquery, or the token's subject, compared with auth_id.
 * What reads otherwise may be as good; a person has to say so.
 */
const OWN_ROW = [
  String.raw`^\((auth_id = auth\.uid\(\)|auth\.uid\(\) = auth_id)\)$`,
  String.raw`^\((auth_id = \( SELECT auth\.uid\(\) AS uid\)|\( SELECT auth\.uid\(\) AS uid\) = auth_id)\)$`,
  String.raw`^\(auth_id = \(\(\(NULLIF\(current_setting\('request\.jwt\.claims'::text, true\), ''::text\)\)::jsonb ->> 'sub'::text\)\)::uuid\)$`,
].join('|');

/** What else in the database would show anon or a signed-in user more than his own row: views, functions, policies, rights that came with the project. */
export const exposureCheck = defineCheck({
  name: 'exposure',
  needs: ['rights'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const seen = await queryOne(
      journal(),
      exposureRow,
      `with recursive api as (select r.oid, r.rolname from pg_roles r where r.rolname in ('anon', 'authenticated')),
       wallet as (
         select c.oid, k.attnum as key from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute k on k.attrelid = c.oid and k.attname = 'flow_private_key' and not k.attisdropped
         where n.nspname = 'public' and c.relname = 'wallet'),
       -- A view reads with its owner's rights, unless it is the reader's own (security_invoker).
       reads as (
         -- A view of whole rows depends on no column: its rule names the row (attribute 0).
         select w.ev_class as oid, d.refobjid as of, d.refobjsubid as of_column, w.ev_action::text ~ ':varattno 0 ' as of_all from pg_depend d join pg_rewrite w on w.oid = d.objid
         where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and w.ev_class <> d.refobjid),
       revealing(oid) as (
         select r.oid from reads r
         where exists (select from wallet t where t.oid = r.of and (t.key = r.of_column or r.of_all))
           or exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = r.of and n.nspname = 'wallet_sync')
         union
         select r.oid from revealing v join reads r on r.of = v.oid)
       select
         array(select a.rolname::text from api a, pg_namespace n where n.nspname = 'wallet_sync' and has_schema_privilege(a.oid, n.oid, 'usage')) as entering,
         array(select distinct d.objid::regclass::text from pg_depend d join wallet t on d.refobjid = t.oid join pg_class s on s.oid = d.objid, api a
           where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and s.relkind = 'S'
             and (has_sequence_privilege(a.oid, s.oid, 'usage') or has_sequence_privilege(a.oid, s.oid, 'select') or has_sequence_privilege(a.oid, s.oid, 'update'))) as counting,
         array(select distinct n.nspname || '.' || c.relname from revealing v join pg_class c on c.oid = v.oid join pg_namespace n on n.oid = c.relnamespace, api a
           where c.relkind in ('v', 'm') and n.nspname <> 'wallet_sync' and has_any_column_privilege(a.oid, c.oid, 'select') and has_schema_privilege(a.oid, n.oid, 'usage')
             and not exists (select from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker' and o.option_value in ('true', 'on', '1', 'yes'))) as views,
         array(select distinct n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace, api a
           where p.prosecdef and n.nspname not in ('wallet_sync', 'pg_catalog', 'information_schema')
             and coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) ~* '(flow_private_key|wallet_sync\\.|\\mwallet\\M)'
             and has_function_privilege(a.oid, p.oid, 'execute') and has_schema_privilege(a.oid, n.oid, 'usage')) as functions,
         array(select '"' || p.polname || '"' from pg_policy p join wallet t on t.oid = p.polrelid
           where p.polpermissive and p.polcmd in ('r', '*')
             and exists (select from unnest(p.polroles) g(role), api a where a.rolname = 'authenticated' and (g.role = 0 or pg_has_role(a.oid, g.role, 'usage')))
             and (p.polqual is null or pg_get_expr(p.polqual, p.polrelid) !~ $1)) as policies`,
      [OWN_ROW],
    );
    const list = (of: readonly string[]): string => `${of.slice(0, NAMED).join(', ')}${of.length > NAMED ? ` and ${of.length - NAMED} more` : ''}`;
    const faults: Outcome[] = [
      ...(seen.entering.length === 0 ? [] : [fail(`${list(seen.entering)} may use schema wallet_sync`, MIGRATE)]),
      ...(seen.counting.length === 0 ? [] : [fail(`anon or authenticated may use ${list(seen.counting)}, the numbers of public.wallet`, MIGRATE)]),
      ...(seen.views.length === 0 ? [] : [fail(`anon or authenticated read private keys, or the journal, through ${list(seen.views)}`, `revoke all on ${list(seen.views)} from anon, authenticated; or make it without flow_private_key`)]),
      ...(seen.functions.length === 0 ? [] : [warn(`anon or authenticated may call ${list(seen.functions)}, which reads private keys or the journal with its owner's rights`, `look at what it returns; where nobody needs it: revoke execute on function … from public, anon, authenticated`)]),
      ...(seen.policies.length === 0 ? [] : [warn(`${list(seen.policies)} on public.wallet may show users rows of others (address and public key; keys stay hidden)`, `drop policy ${seen.policies[0]} on public.wallet, unless that is wanted: "own wallet" shows each user his own`)]),
    ];
    return worstOf(faults, 'no view, function, policy or inherited right shows a user more than his own row');
  },
});
