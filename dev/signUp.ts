import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import type pg from 'pg';
import { AppError } from '../src/errors.js';

export interface SignUpOptions {
  /** Default: a fresh address of example.com. Ignored for anonymous users. */
  readonly email?: string;
  /** Signs up without an address, as `signInAnonymously` does. Default false. */
  readonly anonymous?: boolean;
  /** Whether the address is confirmed in the same transaction, as with confirmations switched off. Default true. */
  readonly confirmed?: boolean;
}

export interface SignUp {
  readonly authId: string;
  /** The sign-up's transaction, for {@link readCommitTimes}. */
  readonly xid: string;
}

const INSERT_USER = `
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, confirmation_token, recovery_token, email_change_token_new, email_change,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at, is_sso_user, is_anonymous
  ) values (
    '00000000-0000-0000-0000-000000000000', $1, 'authenticated', $4, $2, '', '', '', '', '',
    $5::jsonb, $6::jsonb, clock_timestamp(), clock_timestamp(), false, $3
  )`;

const UPDATE_USER = `
  update auth.users set
    role = 'authenticated',
    email_confirmed_at = case when $2 then clock_timestamp() end,
    last_sign_in_at = case when $3 then clock_timestamp() end,
    updated_at = clock_timestamp()
  where id = $1
  returning pg_current_xact_id()::text as xid`;

/**
 * Signs a user up by the two kinds of statement that triggers on auth.users see of the Auth server's transaction: INSERT, then UPDATE;
 * signUpInFull.ts has all of them. `pool` connects as role supabase_auth_admin.
 * Rejects as the sign-up itself would, with Postgres's error.
 */
export async function signUp(pool: pg.Pool, options: SignUpOptions = {}): Promise<SignUp> {
  const authId = randomUUID();
  const anonymous = options.anonymous ?? false;
  const confirmed = (options.confirmed ?? true) && !anonymous;
  const email = anonymous ? null : (options.email ?? `${authId}@example.com`);
  const appData = anonymous ? {} : { provider: 'email', providers: ['email'] };
  const userData = anonymous ? {} : { sub: authId, email, email_verified: confirmed, phone_verified: false };

  const xid = await inSignUp(pool, async (client) => {
    await client.query(INSERT_USER, [authId, email, anonymous, '', JSON.stringify(appData), JSON.stringify(userData)]);
    const updated = await client.query<{ xid: string }>(UPDATE_USER, [authId, confirmed, confirmed || anonymous]);
    return updated.rows[0]?.xid;
  });
  if (xid === undefined) throw new AppError('internal', 'the user was inserted but could not be updated', { where: 'auth.users' });
  return { authId, xid };
}

/** Does this in a sign-up's transaction, and commits it. Rejects with what it rejects with, or Postgres's error, and rolls back. */
export async function inSignUp<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const done = await work(client);
    await client.query('commit');
    return done;
  } catch (error) {
    await client.query('rollback').catch((lost: Error) => (broken = lost));
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Signs `count` users up, `concurrency` at a time (default 8; the pool must hold as many). Order of the answer = order of starting. */
export async function signUpMany(pool: pg.Pool, count: number, options: SignUpOptions & { readonly concurrency?: number } = {}): Promise<SignUp[]> {
  const limit = pLimit(options.concurrency ?? 8);
  return Promise.all(Array.from({ length: count }, () => limit(() => signUp(pool, options))));
}

/**
 * When each sign-up was committed, by the database's own clock (track_commit_timestamp), in milliseconds since 1970 with fractions.
 * Any role may ask. Throws an AppError for a transaction that is not committed or too old to be known.
 */
export async function readCommitTimes(pool: pg.Pool, signUps: readonly SignUp[]): Promise<Map<string, number>> {
  const found = await pool.query<{ xid: string; at: number | null }>(
    // xid8 counts on where the 32-bit xid wraps around; the cast keeps the low half, which is what the commit log knows.
    `select x as xid, (extract(epoch from pg_xact_commit_timestamp(x::xid8::xid)) * 1000)::float8 as at from unnest($1::text[]) x`,
    [signUps.map((each) => each.xid)],
  );
  const times = new Map(found.rows.map((row) => [row.xid, row.at]));
  return new Map(
    signUps.map(({ authId, xid }) => {
      const at = times.get(xid);
      if (at == null) throw new AppError('data', `transaction ${xid} has no commit time`, { where: 'pg_xact_commit_timestamp' });
      return [authId, at];
    }),
  );
}
