import { randomUUID } from 'node:crypto';
import type { Stack } from '../../dev/stack.js';

const CONNECTIONS = 8;

/** What triggers see of a sign-up by Supabase Auth: INSERT, then UPDATE, one transaction a user. */
const PROCEDURE = `
  create schema if not exists bench;
  grant usage on schema bench to supabase_auth_admin;
  create or replace procedure bench.sign_up(ids uuid[]) language plpgsql as $$
  declare user_id uuid;
  begin
    foreach user_id in array ids loop
      insert into auth.users (id, email, role, aud, created_at, updated_at) values (user_id, user_id || '@example.com', '', 'authenticated', clock_timestamp(), clock_timestamp());
      update auth.users set role = 'authenticated', email_confirmed_at = clock_timestamp(), last_sign_in_at = clock_timestamp() where id = user_id;
      commit;
    end loop;
  end $$;`;

/**
 * So many sign-ups as fast as eight connections of the Auth server's role make them, in a loop of the database: a client of this machine would take the cores from
 * what is measured. Resolves when the last is committed.
 */
export async function signUpAtOnce({ postgres, authPool }: Pick<Stack, 'postgres' | 'authPool'>, count: number): Promise<{ readonly authId: string }[]> {
  await postgres.query('supabase_admin', PROCEDURE);
  const signUps = Array.from({ length: count }, () => ({ authId: randomUUID() }));
  const share = Math.ceil(count / CONNECTIONS);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, i) => authPool.query('call bench.sign_up($1)', [signUps.slice(i * share, (i + 1) * share).map(({ authId }) => authId)])),
  );
  return signUps;
}
