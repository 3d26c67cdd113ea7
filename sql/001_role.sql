-- The daemon's own role and schema. The role has no password until an operator sets one:
--   alter role wallet_sync_service with login password '…';
set local lock_timeout = '5s';

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'wallet_sync_service') then
    create role wallet_sync_service with login noinherit;
  end if;
end
$$;

create schema if not exists wallet_sync;
revoke all on schema wallet_sync from public;
grant usage on schema wallet_sync to wallet_sync_service;

-- Which files have been applied. A daemon refuses a database that carries a breaking file newer than it knows.
create table if not exists wallet_sync.migration (
  name text primary key,
  breaking boolean not null default false,
  applied_at timestamptz not null default now()
);
grant select on wallet_sync.migration to wallet_sync_service;

insert into wallet_sync.migration (name) values ('001_role.sql') on conflict do nothing;
