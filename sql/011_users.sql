-- Reading the users, and telling those who were deleted.
set local lock_timeout = '5s';

-- One page of the users who may have a wallet, by id. auth.users has row level security and no policy: only a definer
-- that may bypass it sees the rows; a plain role with SELECT reads none and gets no error. The lower bound is one that the index
-- takes ("after is null or …" reads all users for each page, 115 ms of 300,000), and doesn't lose the id of zeros.
create or replace function wallet_sync.users_page(after uuid, page_size integer)
returns table (id uuid, email text, created_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select u.id, u.email::text, u.created_at from auth.users u
  where u.id >= coalesce(after, '00000000-0000-0000-0000-000000000000') and u.id is distinct from after and wallet_sync.meets_policy(
    (select c.provision from wallet_sync.control c), u.email_confirmed_at, u.phone_confirmed_at, u.is_anonymous, u.deleted_at)
  order by u.id limit page_size
$$;

-- listed: the rows that the Auth server counts as its users, soft-deleted ones and those of any policy too: what its total is
-- compared with. provisioned: who may have a wallet.
create or replace function wallet_sync.count_users(out listed bigint, out provisioned bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select
    count(*) filter (where u.instance_id = '00000000-0000-0000-0000-000000000000' and u.aud = 'authenticated'),
    count(*) filter (where wallet_sync.meets_policy(
      (select c.provision from wallet_sync.control c), u.email_confirmed_at, u.phone_confirmed_at, u.is_anonymous, u.deleted_at))
  from auth.users u
$$;

-- What a sweep may orphan without being asked. refused: how many the last sweep found and did not mark, because they were too many.
-- accepted: so many an operator allowed at accepted_at; the next marking uses it up. asked_after: where asking the Auth server
-- for users one by one goes on.
create table if not exists wallet_sync.orphan_guard (
  only_row boolean primary key default true check (only_row),
  refused bigint check (refused > 0),
  refused_at timestamptz,
  accepted bigint check (accepted > 0),
  accepted_at timestamptz,
  asked_after uuid,
  constraint refused_has_time check ((refused is null) = (refused_at is null)),
  constraint accepted_has_time check ((accepted is null) = (accepted_at is null))
);
insert into wallet_sync.orphan_guard default values on conflict do nothing;

-- Of the next assigned accounts, by their user's id: those whose user is gone and not known to be. One snapshot sees both, so that a
-- user who signs up just now is not taken for one who is gone. "offset 0": each is looked up by his id, where a join reads all users
-- for each page (112 ms against 13 at 300,000).
create or replace function wallet_sync.gone_users(after uuid, page_size integer)
returns table (accounts bigint, last_id uuid, gone uuid[])
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with page as materialized (
    select a.auth_id from wallet_sync.account a
    where a.auth_id >= coalesce(after, '00000000-0000-0000-0000-000000000000') and a.auth_id is distinct from after
    order by a.auth_id limit page_size
  )
  select (select count(*) from page), (select p.auth_id from page p order by p.auth_id desc limit 1),
    array(
      select p.auth_id from page p
      where not exists (select from auth.users u where u.id = p.auth_id offset 0)
        and not exists (select from wallet_sync.user_state s where s.auth_id = p.auth_id and s.state = 'orphaned' offset 0)
      order by p.auth_id)
$$;

-- Marks users as orphaned, but for those who are there after all. Returns how many were marked.
create or replace function wallet_sync.mark_orphans(ids uuid[]) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with marked as (
    insert into wallet_sync.user_state as s (auth_id, state, reason, solution)
    select a.auth_id, 'orphaned', 'the user was deleted from auth.users',
      'nothing to do: key and address are kept, and nothing is sent to the wallet again; a user who comes back is served again by the next sweep'
    from unnest(ids) given(id) join wallet_sync.account a on a.auth_id = given.id
    where not exists (select from auth.users u where u.id = a.auth_id offset 0)
    on conflict (auth_id) do update set state = excluded.state, reason = excluded.reason, solution = excluded.solution, since = clock_timestamp()
      where s.state <> 'orphaned'
    returning 1
  )
  select count(*) from marked
$$;

-- Orphans who are back, as after a restored backup, are users like all others. Returns how many.
create or replace function wallet_sync.unmark_orphans() returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with unmarked as (
    delete from wallet_sync.user_state s
    where s.state = 'orphaned' and exists (select from auth.users u where u.id = s.auth_id offset 0)
    returning 1
  )
  select count(*) from unmarked
$$;

-- Whether an account's user is gone: nothing is sent to its wallet.
create or replace function wallet_sync.is_orphaned(account_id bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from wallet_sync.account a join wallet_sync.user_state s on s.auth_id = a.auth_id
    where a.id = is_orphaned.account_id and s.state = 'orphaned')
$$;

revoke all on wallet_sync.orphan_guard from public, anon, authenticated;
grant select, update on wallet_sync.orphan_guard to wallet_sync_service;
revoke all on function wallet_sync.users_page(uuid, integer), wallet_sync.count_users(), wallet_sync.gone_users(uuid, integer),
  wallet_sync.mark_orphans(uuid[]), wallet_sync.unmark_orphans(), wallet_sync.is_orphaned(bigint) from public;
grant execute on function wallet_sync.users_page(uuid, integer), wallet_sync.count_users(), wallet_sync.gone_users(uuid, integer),
  wallet_sync.mark_orphans(uuid[]), wallet_sync.unmark_orphans(), wallet_sync.is_orphaned(bigint) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('011_users.sql') on conflict do nothing;
