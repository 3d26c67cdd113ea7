-- What was taken over from an older service: the values that its rows and files had before.
set local lock_timeout = '5s';

-- One change of one wallet, written by the transaction that makes it. wallet_id: public.wallet's, whatever its type. old_private_key:
-- the text as it stood, where it was encrypted; a key in the clear is never kept here as it was, but as sealed_key, under this service's master
-- key and bound to public_key. Without foreign keys: it outlives what it names.
-- action: encrypted (a key that was in the clear), re-wrapped (an older service's blob), respelled (address or public key alone),
-- provisioned (emptied, for a new account), from-file (taken from a key file), kept-from-file (a key file that disagrees with the table, or whose account is none).
create table if not exists wallet_sync.adopted (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  wallet_id text,
  auth_id uuid,
  action text not null check (action in ('encrypted', 're-wrapped', 'respelled', 'provisioned', 'from-file', 'kept-from-file')),
  old_address text,
  old_public_key text,
  old_private_key text,
  public_key text,
  sealed_key text,
  constraint no_key_in_the_clear check (old_private_key !~* '[0-9a-f]{64}'),
  constraint sealed_is_bound check ((sealed_key is null) = (public_key is null))
);
-- 64 digits anywhere: what surrounds a key (a byte order mark, a no-break space) makes it no less readable. In base64 22 of 64 characters are digits of
-- hex, and 64 of them in a row come once in 10^28 blobs. Where the constraint says less, what it let pass is emptied: sealed_key has the key.
do $$
begin
  if not exists (
    select from pg_constraint c where c.conrelid = 'wallet_sync.adopted'::regclass and c.conname = 'no_key_in_the_clear'
      and pg_get_constraintdef(c.oid) = 'CHECK ((old_private_key !~* ''[0-9a-f]{64}''::text))'
  ) then
    alter table wallet_sync.adopted drop constraint if exists no_key_in_the_clear;
    update wallet_sync.adopted set old_private_key = null where old_private_key ~* '[0-9a-f]{64}';
    alter table wallet_sync.adopted add constraint no_key_in_the_clear check (old_private_key !~* '[0-9a-f]{64}');
  end if;
end
$$;

create index if not exists adopted_user on wallet_sync.adopted (auth_id) where auth_id is not null;

-- Entries are never changed, but for the copy of a key that a new master key wraps.
revoke all on wallet_sync.adopted from public, anon, authenticated;
grant select, insert, update (sealed_key) on wallet_sync.adopted to wallet_sync_service;

insert into wallet_sync.migration (name) values ('022_adopt.sql') on conflict do nothing;
