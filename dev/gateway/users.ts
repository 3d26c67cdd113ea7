import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';

const NO_INSTANCE = '00000000-0000-0000-0000-000000000000';
const AUDIENCE = 'authenticated';

/** Go's RFC 3339 with microseconds, as the real server prints times: without trailing zeros, and without a fraction where it is 0. */
const time = (column: string): string => `rtrim(rtrim(to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z' as ${column}`;

const COLUMNS = [
  'id', 'aud', 'role', 'email', 'phone', 'is_anonymous', 'raw_app_meta_data', 'raw_user_meta_data',
  ...['email_confirmed_at', 'invited_at', 'phone_confirmed_at', 'confirmation_sent_at', 'confirmed_at', 'recovery_sent_at',
    'last_sign_in_at', 'created_at', 'updated_at', 'banned_until', 'deleted_at'].map(time),
].join(', ');

const text = z.string().nullable();
const UserRowSchema = z.object({
  id: z.string(), aud: text, role: text, email: text, phone: text, is_anonymous: z.boolean(),
  raw_app_meta_data: z.record(z.string(), z.unknown()).nullable(),
  raw_user_meta_data: z.record(z.string(), z.unknown()).nullable(),
  email_confirmed_at: text, invited_at: text, phone_confirmed_at: text, confirmation_sent_at: text, confirmed_at: text,
  recovery_sent_at: text, last_sign_in_at: text, created_at: text, updated_at: text, banned_until: text, deleted_at: text,
});

export const NewUserSchema = z.object({
  email: z.email().optional(),
  phone: z.string().optional(),
  email_confirm: z.boolean().optional(),
  password: z.string().optional(),
  app_metadata: z.record(z.string(), z.unknown()).optional(),
  user_metadata: z.record(z.string(), z.unknown()).optional(),
});
export type NewUser = z.output<typeof NewUserSchema>;

/** A user as the Auth API answers it: times that are not set are left out, the rest is as captured from GoTrue v2.196. */
export type UserJson = Readonly<Record<string, unknown>> & { readonly id: string };

/** The users of schema auth; every statement runs as supabase_auth_admin. */
export interface Users {
  /** One page, newest first, by OFFSET as the real server does it: rows shift when users come or go meanwhile. `page` counts from 1. */
  list(page: number, perPage: number): Promise<{ users: UserJson[]; total: number }>;
  find(id: string): Promise<UserJson | null>;
  /** Null where the address is taken. */
  create(user: NewUser): Promise<UserJson | null>;
  /** Whether there was such a user. Soft: the row stays with deleted_at, its address and data hashed away. */
  remove(id: string, soft: boolean): Promise<boolean>;
}

/** `pool` connects as supabase_auth_admin. */
export function createUsers(pool: pg.Pool): Users {
  const find = async (id: string): Promise<UserJson | null> => {
    const found = await pool.query(`select ${COLUMNS} from auth.users where instance_id = $1 and id = $2`, [NO_INSTANCE, id]);
    return found.rows.length === 0 ? null : { ...toJson(found.rows[0]), identities: [] };
  };
  return {
    async list(page, perPage) {
      const counted = await pool.query<{ total: number }>(
        'select count(*)::int as total from auth.users where instance_id = $1 and aud = $2', [NO_INSTANCE, AUDIENCE]);
      const found = await pool.query(
        `select ${COLUMNS} from auth.users u where instance_id = $1 and aud = $2 order by u.created_at desc limit $3 offset $4`,
        [NO_INSTANCE, AUDIENCE, perPage, (page - 1) * perPage]);
      return { users: found.rows.map(toJson), total: counted.rows[0]?.total ?? 0 };
    },
    find,
    async create(user) {
      const id = randomUUID();
      try {
        await inTransaction(pool, (client) => insertUser(client, id, user));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === '23505') return null;
        throw error;
      }
      return find(id);
    },
    async remove(id, soft) {
      if (!soft) return (await pool.query('delete from auth.users where instance_id = $1 and id = $2', [NO_INSTANCE, id])).rowCount === 1;
      return inTransaction(pool, (client) => softDelete(client, id));
    },
  };
}

async function insertUser(client: pg.PoolClient, id: string, user: NewUser): Promise<void> {
  const provider = user.email === undefined ? 'phone' : 'email';
  await client.query(
    `insert into auth.users (instance_id, id, aud, role, email, phone, encrypted_password, confirmation_token, recovery_token,
       email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
     values ($1, $2, $3, 'authenticated', $4, $5, '', '', '', '', '', $6::jsonb, $7::jsonb, clock_timestamp(), clock_timestamp())`,
    [NO_INSTANCE, id, AUDIENCE, user.email?.toLowerCase() ?? null, user.phone ?? null,
      JSON.stringify({ provider, providers: [provider], ...user.app_metadata }), JSON.stringify(user.user_metadata ?? {})]);
  if (user.email_confirm === true) {
    await client.query('update auth.users set email_confirmed_at = clock_timestamp(), updated_at = clock_timestamp() where id = $1', [id]);
  }
}

/** The fields are those that GoTrue's SoftDeleteUser sets; the hash is sha256(id + value), base64url, 15 characters for a phone. */
async function softDelete(client: pg.PoolClient, id: string): Promise<boolean> {
  const found = await client.query<{ email: string | null; phone: string | null }>(
    'select email, phone from auth.users where instance_id = $1 and id = $2 for update', [NO_INSTANCE, id]);
  const user = found.rows[0];
  if (user === undefined) return false;
  const hide = (value: string): string => createHash('sha256').update(id + value).digest('base64url');
  await client.query(
    `update auth.users set email = $2, phone = $3, encrypted_password = null, email_change = $4, phone_change = $5, confirmation_token = '',
       recovery_token = '', email_change_token_current = '', email_change_token_new = '', phone_change_token = '', deleted_at = clock_timestamp()
     where id = $1`,
    [id, hide(user.email ?? ''), hide(user.phone ?? '').slice(0, 15), hide(''), hide('').slice(0, 15)]);
  await client.query(`update auth.users set raw_user_meta_data = '{}', updated_at = clock_timestamp() where id = $1`, [id]);
  await client.query(`update auth.users set raw_app_meta_data = '{}', updated_at = clock_timestamp() where id = $1`, [id]);
  return true;
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((lost: Error) => (broken = lost));
    throw error;
  } finally {
    client.release(broken);
  }
}

function toJson(raw: unknown): UserJson {
  const { raw_app_meta_data, raw_user_meta_data, is_anonymous, ...row } = UserRowSchema.parse(raw);
  const set = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return {
    ...set,
    id: row.id,
    aud: row.aud ?? '',
    role: row.role ?? '',
    email: row.email ?? '',
    phone: row.phone ?? '',
    app_metadata: raw_app_meta_data ?? {},
    user_metadata: raw_user_meta_data ?? {},
    identities: null,
    is_anonymous,
  };
}
