import { randomUUID } from 'node:crypto';
import type { Vault } from '../../src/secrets.js';
import type { Postgres } from '../../dev/postgres.js';
import { hex } from './database.js';

/** A private key as it was before it was sealed, by its public key. */
export type PrivateKeys = Map<string, string>;

/** Makes accounts with random keys, really sealed: so many of users with their wallet rows, so many in the pool. Each private key is noted. */
export async function seedKeys(postgres: Postgres, vault: Vault, counts: { readonly assigned: number; readonly free: number }, noted: PrivateKeys = new Map()): Promise<PrivateKeys> {
  const rows = Array.from({ length: counts.assigned + counts.free }, (_, i) => {
    const [privateKey, publicKey] = [hex(32), hex(64)];
    noted.set(publicKey, privateKey);
    return { publicKey, sealed: vault.seal(privateKey, publicKey), address: `0x${hex(8)}`, authId: i < counts.assigned ? randomUUID() : null };
  });
  await postgres.query(
    'supabase_admin',
    // Users who have had their wallet for long: neither triggers nor a sign-up's path are what is tried here.
    `with seeded as (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) with ordinality as s (public_key, sealed, address, auth_id, place)
     ), users as (
       insert into auth.users (id, email, role, aud, created_at, deleted_at) select auth_id, auth_id || '@example.com', 'authenticated', 'authenticated', clock_timestamp(), clock_timestamp() from seeded where auth_id is not null
       returning id
     ), accounts as (
       insert into wallet_sync.account (state, public_key, private_key, address, auth_id, free_at, assigned_at, assignment)
       select case when s.auth_id is null then 'free' else 'assigned' end::wallet_sync.account_state, s.public_key, s.sealed, s.address, s.auth_id, clock_timestamp(),
         case when s.auth_id is not null then clock_timestamp() end, case when s.auth_id is not null then nextval('wallet_sync.assignment') end
       from seeded s order by s.place returning id
     )
     insert into public.wallet (auth_id, flow_address, flow_private_key, flow_public_key)
     select s.auth_id, s.address, s.sealed, s.public_key from seeded s join users u on u.id = s.auth_id order by s.place`,
    [rows.map((row) => row.publicKey), rows.map((row) => row.sealed), rows.map((row) => row.address), rows.map((row) => row.authId)],
  );
  return noted;
}

export interface StoredKey {
  readonly what: 'account' | 'wallet' | 'kept';
  readonly publicKey: string;
  readonly sealed: string;
}

/** Every ciphertext that is stored. */
export function storedKeys(postgres: Postgres): Promise<StoredKey[]> {
  return postgres.query(
    'supabase_admin',
    `select 'account' as what, public_key as "publicKey", private_key as sealed from wallet_sync.account
     union all select 'wallet', flow_public_key, flow_private_key from public.wallet where flow_private_key is not null
     union all select 'kept', public_key, sealed_key from wallet_sync.adopted where sealed_key is not null`,
  );
}

/** How many users' wallet rows hold another ciphertext than their account. */
export async function differingCopies(postgres: Postgres): Promise<number> {
  const [row] = await postgres.query<{ count: number }>('supabase_admin', 'select count(*)::integer as count from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id where w.flow_private_key is distinct from a.private_key');
  return row?.count ?? -1;
}
