-- The sweep: its record, what it looks at, and what it sets apart.
set local lock_timeout = '5s';

-- source, cursor: where the users come from and how far the sweep came, for the one that resumes it. waiting, set_apart, unknown: what
-- the ten counters leave out (total_wallets is the sum of synced, corrupted and these, and of the wallets found with something missing).
-- calls: to the chain, by kind. errors: by kind. stages: milliseconds spent in each; they overlap.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.cycle'::regclass and attname = 'cursor' and not attisdropped) then
    alter table wallet_sync.cycle
      drop column if exists last_user,
      add column source text,
      add column cursor text,
      add column waiting bigint not null default 0,
      add column set_apart bigint not null default 0,
      add column unknown bigint not null default 0,
      add column calls jsonb not null default '{}',
      add column errors jsonb not null default '{}',
      add column stages jsonb not null default '{}';
  end if;
end
$$;
create index if not exists cycle_open on wallet_sync.cycle (id) where ended_at is null;

-- Two sets of counts by name, added.
create or replace function wallet_sync.add_counts(counts jsonb, more jsonb) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(name, total), '{}') from (
    select c.key as name, sum(c.value::bigint) as total from (
      select * from jsonb_each_text(counts) union all select * from jsonb_each_text(more)) c
    group by c.key) totals
$$;

-- Wallets that failed standing alone: their check makes a script fail, or their funding or repair fails on chain. They are left out of every
-- batch and tried alone, after a pause that doubles.
create table if not exists wallet_sync.apart (
  address text not null check (address ~ '^0x[0-9a-f]{16}$'),
  work text not null check (work in ('check', 'fund', 'repair')),
  reason text not null,
  attempts integer not null default 1,
  since timestamptz not null default clock_timestamp(),
  next_at timestamptz not null,
  primary key (address, work)
);

drop function if exists wallet_sync.add_missing_wallets(uuid, integer);

-- Makes the wallet rows that some users lack (their sign-up could not), and fills those of users who have an account already from the
-- home of record. Users that are gone, or not provisioned, get none. Returns how many were made.
create or replace function wallet_sync.make_wallets(user_ids uuid[]) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
  made uuid[];
  user_id uuid;
begin
  begin
    with rows as (
      insert into public.wallet (auth_id)
      select u.id from wallet_sync.provisioned_user p join auth.users u on u.id = p.id
      where p.id = any(user_ids) and not exists (select from public.wallet w where w.auth_id = p.id)
      order by u.created_at, u.id
      on conflict (auth_id) do nothing returning auth_id
    )
    select coalesce(array_agg(auth_id), '{}') into made from rows;
  exception when foreign_key_violation or lock_not_available then
    -- One of them is being deleted: he gets none, and the others theirs.
    made := '{}';
    foreach user_id in array user_ids loop
      begin
        insert into public.wallet (auth_id)
        select p.id from wallet_sync.provisioned_user p
        where p.id = user_id and not exists (select from public.wallet w where w.auth_id = p.id)
        on conflict (auth_id) do nothing;
        if found then
          made := made || user_id;
        end if;
      exception when foreign_key_violation or lock_not_available then
        null;
      end;
    end loop;
  end;
  perform wallet_sync.restore_wallet(a.auth_id) from wallet_sync.account a where a.auth_id = any(made);
  return cardinality(made);
end
$$;

revoke all on function wallet_sync.make_wallets(uuid[]), wallet_sync.add_counts(jsonb, jsonb) from public;
grant execute on function wallet_sync.make_wallets(uuid[]), wallet_sync.add_counts(jsonb, jsonb) to wallet_sync_service;
revoke all on wallet_sync.apart from public, anon, authenticated;
grant select, insert, update, delete on wallet_sync.apart to wallet_sync_service;
grant delete on wallet_sync.cycle to wallet_sync_service;

insert into wallet_sync.migration (name) values ('010_sweep.sql') on conflict do nothing;
