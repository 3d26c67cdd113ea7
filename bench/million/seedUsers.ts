import pg from 'pg';
import type { Postgres } from '../../dev/postgres.js';
import type { Rows } from './makeRows.js';

/** No creation of the seeded accounts is later than this block. */
const DEPOSIT_HEIGHT = 1;

const USERS = "(select *, timestamptz '2026-01-01 00:00:00+00' + place * interval '1 second' as at from bench_user) u order by place";

/** Each user signed up a second after the one before, and was given an account out of the pool. */
const STEPS: readonly (readonly [string, string])[] = [
  [
    'auth.users',
    `insert into auth.users (
       instance_id, id, aud, role, email, encrypted_password, confirmation_token, recovery_token, email_change_token_new, email_change,
       email_confirmed_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, is_sso_user, is_anonymous)
     select '00000000-0000-0000-0000-000000000000', auth_id, 'authenticated', 'authenticated', auth_id || '@example.com', '', '', '', '', '',
       at, at, '{"provider": "email", "providers": ["email"]}', jsonb_build_object('sub', auth_id, 'email', auth_id || '@example.com', 'email_verified', true, 'phone_verified', false), at, at, false, false
     from ${USERS}`,
  ],
  [
    'public.wallet',
    `insert into public.wallet (auth_id, created_at, flow_address, flow_private_key, flow_public_key)
     select auth_id, at, address, private_key, public_key from ${USERS}`,
  ],
  [
    'wallet_sync.account',
    `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, prepared_at, free_at, assigned_at, assignment, assigned_xid, delivered_by, pool_hit, deposit_height)
     select 'assigned', public_key, private_key, address, auth_id, at - interval '1 hour', at - interval '1 hour', at, place + 1, pg_current_xact_id(), 'notify', true, ${DEPOSIT_HEIGHT}
     from ${USERS}`,
  ],
];

const TABLES = ['auth.users', 'public.wallet', 'wallet_sync.account'];

/**
 * Loads the rows as users who have had their wallet for long: auth.users, public.wallet and wallet_sync.account in one transaction, without their triggers,
 * then as autovacuum leaves them. `postgres` must be migrated. `onStep` hears what is done next.
 */
export async function seedUsers(postgres: Postgres, rows: Rows, onStep: (text: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url('supabase_admin') });
  await client.connect();
  try {
    await client.query(`set session_replication_role = replica; set work_mem = '256MB'; set maintenance_work_mem = '256MB'`);
    await client.query('begin');
    await client.query('create temporary table bench_user (place bigint, auth_id uuid, address text, public_key text, private_key text) on commit drop');
    for (const path of rows.paths) await client.query(`copy bench_user from ${client.escapeLiteral(path)}`);
    for (const [table, statement] of STEPS) {
      onStep(table);
      // Keys are random: with the indexes kept up row by row a million took 7 minutes to load on a busy machine, with this 4.
      await client.query('update pg_index set indisready = false where indrelid = $1::regclass', [table]);
      await client.query(statement);
      await client.query(`reindex table ${table}`);
    }
    await client.query("select setval('wallet_sync.assignment', $1)", [rows.addresses.length]);
    await client.query('commit');
    onStep('vacuum and analyze');
    for (const table of TABLES) await client.query(`vacuum (analyze) ${table}`);
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}
