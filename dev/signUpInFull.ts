import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { inSignUp } from './signUp.js';

/** One statement of a sign-up's transaction. */
type Step = readonly [name: string, text: string, values: readonly unknown[]];

/**
 * The statements with which the Auth server (GoTrue v2.196) signs a user up by address and password where addresses need no confirmation: those
 * of its first transaction, begin and commit apart; the session and last_sign_in_at come in a second one. From its source: `Signup` and `signupNewUser`
 * (internal/api/signup.go), `createNewIdentity` (internal/api/external.go), and in internal/models `RemoveUnconfirmedIdentities` and `Confirm` (user.go),
 * `FindProvidersByUser` (identity.go), `NewAuditLogEntry` (audit_log_entry.go), `ClearAllOneTimeTokensForUser` (one_time_token.go).
 */
function stepsOf(authId: string): readonly Step[] {
  const email = `${authId}@example.com`;
  const identity = { sub: authId, email, email_verified: false, phone_verified: false };
  const audit = { actor_id: authId, actor_via_sso: false, actor_username: email, action: 'user_signedup', log_type: 'team', traits: { provider: 'email' } };
  const update = (name: string, set: string, ...values: unknown[]): Step => [name, `update auth.users set ${set}, updated_at = clock_timestamp() where id = $1`, [authId, ...values]];
  return [
    [
      'insert-user',
      `insert into auth.users (
         instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, confirmation_token, confirmation_sent_at, recovery_token, recovery_sent_at,
         email_change_token_current, email_change_token_new, email_change, email_change_sent_at, email_change_confirm_status, phone, phone_confirmed_at, phone_change, phone_change_token,
         phone_change_sent_at, reauthentication_token, reauthentication_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, banned_until, deleted_at, is_sso_user, is_anonymous
       ) values (
         '00000000-0000-0000-0000-000000000000', $1, 'authenticated', '', $2, $3, null, null, '', null, '', null, '', '', '', null, 0, null, null, '', '',
         null, '', null, null, $4, $5, clock_timestamp(), clock_timestamp(), null, null, false, false
       )`,
      [authId, email, PASSWORD_HASH, JSON.stringify({ provider: 'email', providers: ['email'] }), '{}'],
    ],
    update('set-role', "role = 'authenticated'"),
    ['reload-user', 'select * from auth.users where id = $1 limit 1', [authId]],
    ['find-identity', 'select * from auth.identities where provider_id = $1 and provider = $2 limit 1', [authId, 'email']],
    [
      'insert-identity',
      'insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at) values ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp(), clock_timestamp())',
      [randomUUID(), authId, authId, JSON.stringify(identity), 'email'],
    ],
    update('set-user-metadata', 'raw_user_meta_data = $2', JSON.stringify(identity)),
    ['find-providers', 'select provider from auth.identities where user_id = $1 order by created_at', [authId]],
    update('set-app-metadata', 'raw_app_meta_data = $2', JSON.stringify({ provider: 'email', providers: ['email'] })),
    ['insert-audit-entry', "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address) values ('00000000-0000-0000-0000-000000000000', $1, $2, clock_timestamp(), '')", [randomUUID(), JSON.stringify(audit)]],
    update('confirm', "confirmation_token = '', email_confirmed_at = clock_timestamp()"),
    update('set-user-metadata', 'raw_user_meta_data = $2', JSON.stringify({ ...identity, email_verified: true })),
    ['clear-tokens', 'delete from auth.one_time_tokens where user_id = $1', [authId]],
  ];
}

/** As long as bcrypt's, and no password's. */
const PASSWORD_HASH = `$2a$10$${'x'.repeat(53)}`;

/**
 * Signs a user up with all statements of the Auth server's transaction, prepared once a connection as its driver does. `pool` connects as role
 * supabase_auth_admin. Returns his id; rejects as the sign-up itself would, with Postgres's error.
 */
export async function signUpInFull(pool: pg.Pool): Promise<string> {
  const authId = randomUUID();
  await inSignUp(pool, async (client) => {
    for (const [name, text, values] of stepsOf(authId)) await client.query({ name, text, values: [...values] });
  });
  return authId;
}
