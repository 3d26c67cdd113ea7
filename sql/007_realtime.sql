-- What Supabase Realtime publishes: new wallet rows, and the canaries that prove that it does.
set local lock_timeout = '5s';

create table if not exists wallet_sync.canary (
  id bigint generated always as identity primary key,
  instance uuid not null,
  nonce text not null check (length(nonce) <= 64),
  created_at timestamptz not null default clock_timestamp()
);

do $$
declare
  published text;
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if exists (select from pg_publication where pubname = 'supabase_realtime' and puballtables) then
    return;
  end if;
  foreach published in array array['public.wallet', 'wallet_sync.canary'] loop
    if not exists (
      select from pg_publication_tables where pubname = 'supabase_realtime' and schemaname || '.' || tablename = published
    ) then
      execute 'alter publication supabase_realtime add table ' || published;
    end if;
  end loop;
end
$$;

-- Realtime reads as the role of the token: the daemon's is service_role.
revoke all on wallet_sync.canary from public, anon, authenticated;
grant usage on schema wallet_sync to service_role;
grant select on wallet_sync.canary to service_role;
grant select, insert, delete on wallet_sync.canary to wallet_sync_service;

insert into wallet_sync.migration (name) values ('007_realtime.sql') on conflict do nothing;
