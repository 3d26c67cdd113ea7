-- Giving accounts to users, and counting how many must be made.
set local lock_timeout = '5s';

-- The users who may have a wallet, as the policy stands. The daemon's role reads them through this view alone: auth.users has row
-- level security and no policy, so that a plain role with SELECT would read none and get no error. Who asks about one user a row
-- adds "offset 0": each is then looked up by his id, where a join reads all users for each where the statistics say that few wait.
create or replace view wallet_sync.provisioned_user as
  select u.id from auth.users u
  where wallet_sync.meets_policy(
    (select c.provision from wallet_sync.control c), u.email_confirmed_at, u.phone_confirmed_at, u.is_anonymous, u.deleted_at);

-- The same for one user. Sign-ups ask this function and not the view: they would keep a lock on it, for which migrate would wait.
create or replace function wallet_sync.is_provisioned(auth_id uuid) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (
    select from auth.users u where u.id = is_provisioned.auth_id and wallet_sync.meets_policy(
      (select c.provision from wallet_sync.control c), u.email_confirmed_at, u.phone_confirmed_at, u.is_anonymous, u.deleted_at));
end
$$;

-- What keys begin with that are under an old master key: their accounts are not given. Such are free only while a rotation goes on, or
-- where the owner has retired a master key that is lost. Not made again: that would wait for every sign-up under way.
do $$
begin
  if to_regclass('wallet_sync.passed_over') is null then
    create view wallet_sync.passed_over with (security_invoker = true) as
      select 'v1:' || k.id || ':' as prefix from wallet_sync.master_key k where k.state in ('retiring', 'retired');
  end if;
end
$$;

-- An account is given with its row, or not at all: raises where an application's trigger has changed what was written, or dropped it.
create or replace function wallet_sync.require_as_given(is_as_given boolean) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if is_as_given is not true then
    raise exception 'a trigger of public.wallet has changed the row of an account that was given';
  end if;
  return true;
end
$$;

-- Takes the first free account for one user, who has asked since then. Nulls where none is free. The caller fills the user's row in the same transaction.
create or replace function wallet_sync.take_account(user_id uuid, via text, since timestamptz, out id bigint, out address text, out private_key text, out public_key text)
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
begin
  update wallet_sync.account a
  set state = 'assigned', auth_id = user_id, assigned_at = clock_timestamp(), assignment = nextval('wallet_sync.assignment'), assigned_xid = pg_current_xact_id(),
    delivered_by = via, pool_hit = a.free_at < since
  where a.id = (
    select f.id from wallet_sync.account f
    where f.state = 'free' and left(f.private_key, 12) <> all (array(select o.prefix from wallet_sync.passed_over o))
    order by f.id limit 1 for update skip locked)
  returning a.id, a.address, a.private_key, a.public_key into id, address, private_key, public_key;
end
$$;

-- Gives waiting users free accounts, in order of arrival, and fills public.wallet: one call is one statement, so both or neither.
-- heard: {"<auth_id>": "<source>"} for users whose own signal was heard; via: which source led to this look.
-- only_user: this one alone, in a sign-up or to find the row that makes a batch fail. Step by step it takes a third of the time.
-- While paused it gives nothing, in whatever loop it is called. Without seqscan for the reason told at greet; without jit, because a table that has lost its index then looks costly enough.
create or replace function wallet_sync.assign(max_users integer, via text, heard jsonb, only_user uuid default null)
returns table (auth_id uuid, address text, account_id bigint)
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  wallet record;
  free record;
  is_as_given boolean;
  passed_over text[] := array(select o.prefix from wallet_sync.passed_over o);
begin
  if only_user is not null then
    select w.id, w.created_at into wallet from public.wallet w
    where not (select c.paused from wallet_sync.control c) and w.auth_id = only_user and w.flow_address is null and w.flow_private_key is null and w.flow_public_key is null
      and wallet_sync.is_provisioned(w.auth_id)
      and not exists (select from wallet_sync.user_state u where u.auth_id = w.auth_id)
      and not exists (select from wallet_sync.account a where a.auth_id = w.auth_id)
    for update of w skip locked;
    if not found then
      return;
    end if;
    select t.* into free from wallet_sync.take_account(only_user, coalesce(heard ->> only_user::text, via), wallet.created_at) t;
    if free.id is null then
      return;
    end if;
    update public.wallet w
    set flow_address = free.address, flow_private_key = free.private_key, flow_public_key = free.public_key
    where w.id = wallet.id
    returning (w.flow_address, w.flow_private_key, w.flow_public_key) is not distinct from (free.address, free.private_key, free.public_key) into is_as_given;
    perform wallet_sync.require_as_given(is_as_given);
    return query select only_user, free.address, free.id;
    return;
  end if;

  return query
  with waiting as (
    select w.id, w.auth_id, w.created_at from public.wallet w
    where not (select c.paused from wallet_sync.control c) and w.flow_address is null and w.flow_private_key is null and w.flow_public_key is null and w.auth_id is not null
      and exists (select from wallet_sync.provisioned_user p where p.id = w.auth_id offset 0)
      and not exists (select from wallet_sync.user_state u where u.auth_id = w.auth_id)
      and not exists (select from wallet_sync.account a where a.auth_id = w.auth_id)
    -- As many as can be given: a lock on a row that gets nothing would keep it from who has something to give.
    order by w.id limit (select count(*) from (select from wallet_sync.account a where a.state = 'free' limit max_users) spare) for update of w skip locked
  ), free as (
    select a.id, a.address, a.private_key, a.public_key, a.free_at from wallet_sync.account a
    where a.state = 'free' and left(a.private_key, 12) <> all (passed_over) order by a.id limit (select count(*) from waiting) for update skip locked
  ), pair as (
    select w.id as wallet_id, w.auth_id, w.created_at, f.*
    from (select *, row_number() over (order by id) as place from waiting) w
    join (select *, row_number() over (order by id) as place from free) f using (place)
  ), given as (
    update wallet_sync.account a
    set state = 'assigned', auth_id = p.auth_id, assigned_at = clock_timestamp(), assignment = nextval('wallet_sync.assignment'), assigned_xid = pg_current_xact_id(),
      delivered_by = coalesce(heard ->> p.auth_id::text, via), pool_hit = p.free_at < p.created_at
    from pair p where a.id = p.id
    returning a.id, a.auth_id
  ), filled as (
    update public.wallet w
    set flow_address = p.address, flow_private_key = p.private_key, flow_public_key = p.public_key
    from pair p where w.id = p.wallet_id
    returning w.id, (w.flow_address, w.flow_private_key, w.flow_public_key) is not distinct from (p.address, p.private_key, p.public_key) as is_as_given
  )
  select p.auth_id, p.address, p.id from pair p join given g on g.id = p.id left join filled f on f.id = p.wallet_id
  where wallet_sync.require_as_given(f.is_as_given);
end
$$;

-- Who waits, as assign sees it. "offset 0" keeps the rows' own index in front, whatever the statistics say: where nobody waits, one
-- look into it is all, and neither auth.users nor the accounts are touched.
create or replace view wallet_sync.waiting with (security_invoker = true) as
  select w.id, w.auth_id, w.created_at from (
    select id, auth_id, created_at from public.wallet
    where flow_address is null and flow_private_key is null and flow_public_key is null and auth_id is not null
    order by id offset 0
  ) w
  where exists (select from wallet_sync.provisioned_user p where p.id = w.auth_id offset 0)
    and not exists (select from wallet_sync.user_state u where u.auth_id = w.auth_id)
    and not exists (select from wallet_sync.account a where a.auth_id = w.auth_id);

-- Accounts that are on their way: prepared ones of a living instance, and members of transactions that are not overdue
-- (3 x the median seal time, at least 20 s): a stuck transaction must not starve its users. Of the overdue ones only a batch (25)
-- an instance is made again, or a chain that stands still would fill every slot.
create or replace function wallet_sync.being_made(instance_lease interval) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
  select
    (select count(*) from wallet_sync.account a join wallet_sync.instance i on i.id = a.prepared_by
      where a.state = 'prepared' and i.stopped_at is null and i.seen_at > clock_timestamp() - instance_lease)
    + (select count(*) filter (where fresh)
        + greatest(0, count(*) filter (where not fresh) - 25 * (
          select count(*) from wallet_sync.instance i where i.stopped_at is null and i.seen_at > clock_timestamp() - instance_lease))
      from (
        select t.created_at > clock_timestamp() - greatest(interval '20 seconds', 3 * (
          select percentile_cont(0.5) within group (order by s.settled_at - s.created_at)
          from (select settled_at, created_at from wallet_sync.transaction where state = 'sealed' order by settled_at desc limit 50) s)) as fresh
        from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id
        where t.state = 'live' and t.kind = 'create' and m.live) members)
$$;

-- Demand = waiting users + pool size - free - being made. May be negative: the pool is over-full. It is counted under the lock that
-- all instances share, and twice for each batch, so of those who wait only 100 are counted beyond whom accounts are there or on their way:
-- a batch takes 25 (2,000 took 50 ms on two busy cores, 200,000 took 0.7 s).
-- quiet_ms: since the last account was given; null where none ever was. An account under an old master key is not free: it cannot be
-- given, and nobody must wait for the operator who breaks a rotation off, nor for a master key that is lost. (There are none but then: see 018.)
create or replace function wallet_sync.demand(pool_size integer, instance_lease interval)
returns table (waiting bigint, free bigint, being_made bigint, demand bigint, quiet_ms double precision)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select w, f, b, w + pool_size - f - b,
    (select extract(epoch from clock_timestamp() - max(a.assigned_at)) * 1000 from wallet_sync.account a)::double precision
  from (
    select (select count(*) from wallet_sync.account a where a.state = 'free')
        - (select count(*) from wallet_sync.master_key k join wallet_sync.account a on a.state = 'free' and left(a.private_key, 12) = 'v1:' || k.id || ':' where k.state in ('retiring', 'retired')) f,
      wallet_sync.being_made(instance_lease) b offset 0) supply,
    lateral (select count(*) w from (select from wallet_sync.waiting limit f + b + 100) counted) demanded
$$;

-- One page of the users who may have a wallet, by id. auth.users has row level security and no policy: only a definer
-- that may bypass it sees the rows; a plain role with SELECT reads none and gets no error.
create or replace function wallet_sync.users_page(after uuid, page_size integer)
returns table (id uuid, email text, created_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select u.id, u.email::text, u.created_at from auth.users u
  where (after is null or u.id > after) and wallet_sync.meets_policy(
    (select c.provision from wallet_sync.control c), u.email_confirmed_at, u.phone_confirmed_at, u.is_anonymous, u.deleted_at)
  order by u.id limit page_size
$$;

-- Fills a user's emptied row again from the home of record. A row that refuses (a constraint or trigger of the application's) is
-- counted corrupted with the reason, and left alone. True where it was filled.
create or replace function wallet_sync.restore_wallet(user_id uuid) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
#variable_conflict use_variable
begin
  -- What is copied is the key as it stands: a rotation under way must not change it in between.
  perform from wallet_sync.account a where a.auth_id = user_id for share;
  update public.wallet w set flow_address = a.address, flow_private_key = a.private_key, flow_public_key = a.public_key
  from wallet_sync.account a
  where w.auth_id = user_id and a.auth_id = user_id
    and w.flow_address is null and w.flow_private_key is null and w.flow_public_key is null;
  return found;
exception when lock_not_available then
  -- An application holds the row: the next look fills it.
  return false;
when integrity_constraint_violation or data_exception or raise_exception then
  insert into wallet_sync.user_state as s (auth_id, state, reason, solution)
  values (user_id, 'corrupted', sqlerrm, 'mend the row or the constraint that the reason names, then: wallet-sync retry ' || user_id)
  on conflict (auth_id) do update set state = excluded.state, reason = excluded.reason, solution = excluded.solution;
  return false;
end
$$;

-- All of them. Returns how many were filled; those found corrupted before are skipped.
create or replace function wallet_sync.restore_wallets() returns bigint
language sql volatile set search_path = pg_catalog, pg_temp as $$
  with emptied as materialized (
    select a.auth_id from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id
    where w.flow_address is null and w.flow_private_key is null and w.flow_public_key is null
      and not exists (select from wallet_sync.user_state u where u.auth_id = a.auth_id)
  )
  select count(*) filter (where wallet_sync.restore_wallet(e.auth_id)) from emptied e
$$;

-- One user again from the start: a corruption found earlier is forgotten, the wallet row made if it is missing, and filled
-- from the home of record if it was emptied.
create or replace function wallet_sync.look_again(user_id uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  delete from wallet_sync.user_state s where s.auth_id = user_id and s.state = 'corrupted';
  insert into public.wallet (auth_id)
  select u.id from wallet_sync.provisioned_user u
  where u.id = user_id and not exists (select from public.wallet w where w.auth_id = u.id)
  on conflict (auth_id) do nothing;
  select wallet_sync.restore_wallet(user_id);
$$;

revoke all on function wallet_sync.is_provisioned(uuid), wallet_sync.assign(integer, text, jsonb, uuid), wallet_sync.take_account(uuid, text, timestamptz), wallet_sync.require_as_given(boolean), wallet_sync.being_made(interval), wallet_sync.demand(integer, interval),
  wallet_sync.users_page(uuid, integer), wallet_sync.restore_wallet(uuid), wallet_sync.restore_wallets(),
  wallet_sync.look_again(uuid) from public;
grant execute on function wallet_sync.is_provisioned(uuid), wallet_sync.assign(integer, text, jsonb, uuid), wallet_sync.take_account(uuid, text, timestamptz), wallet_sync.require_as_given(boolean), wallet_sync.being_made(interval), wallet_sync.demand(integer, interval),
  wallet_sync.users_page(uuid, integer), wallet_sync.restore_wallet(uuid), wallet_sync.restore_wallets(),
  wallet_sync.look_again(uuid) to wallet_sync_service;
revoke all on wallet_sync.waiting, wallet_sync.provisioned_user, wallet_sync.passed_over from public, anon, authenticated;
grant select on wallet_sync.waiting, wallet_sync.provisioned_user, wallet_sync.passed_over to wallet_sync_service;

insert into wallet_sync.migration (name) values ('006_provision.sql') on conflict do nothing;
