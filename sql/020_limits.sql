-- Spending limits: what all instances together may spend within a window, whoever asks, also across restarts.
--
-- What a transaction may cost is reserved in the transaction that records it, before its first broadcast: what it sends its members, what
-- creating accounts costs, and a bound on its fee. When it settles, what it did cost takes the reservation's place, and counts for one
-- window from then on. So no window of the chain's own time holds more than the limit. Proof: of all that was executed within one such
-- window, look at the transaction recorded last. Each other one was executed less than a window before it was, so it had not settled a
-- window before it was recorded: it counted, reserved or spent, and the last one was let in beside it.
--
-- Rejected: a sum over the rows of transactions. With 100,000 of them in the window it took 107 ms on a busy machine, where a trivial statement took 3; the totals kept here 17.
set local lock_timeout = '5s';

-- What all instances agree on (as the policy): null where there is no such limit. Amounts in 10^-8 FLOW. set_at: null until an instance
-- has said what it has. account_amount: what an account is sent, of the instance that started last; no limit, but what room is told by.
create table if not exists wallet_sync.spending_limit (
  only_row boolean primary key default true check (only_row),
  set_at timestamptz,
  short_window_s double precision not null default 3600 check (short_window_s > 0),
  long_window_s double precision not null default 86400 check (long_window_s > 0),
  flow_short bigint check (flow_short >= 0),
  flow_long bigint check (flow_long >= 0),
  accounts_short bigint check (accounts_short >= 0),
  wallet_fundings_long bigint check (wallet_fundings_long >= 0),
  wallet_fundings_ever bigint check (wallet_fundings_ever >= 0),
  funder_floor bigint not null default 0 check (funder_floor >= 0),
  account_amount bigint not null default 10000000 check (account_amount >= 0)
);
insert into wallet_sync.spending_limit default values on conflict do nothing;

-- What an unsettled transaction may still cost its payer, in 10^-8 FLOW, and the accounts that it may make.
create table if not exists wallet_sync.reservation (
  transaction_id text primary key references wallet_sync.transaction (id) on delete cascade,
  payer text not null,
  flow bigint not null check (flow >= 0),
  accounts bigint not null check (accounts >= 0)
);

-- What settled transactions have cost, added up for each short while in which they settled: a day is 1,440 rows, however many they are.
create table if not exists wallet_sync.spending (
  starts_at timestamptz primary key,
  ends_at timestamptz not null,
  flow bigint not null default 0,
  accounts bigint not null default 0
);

-- spent: what settled since the balance was read, or may have; it is lower by that. seen_at stays the time of the balance.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.funder_balance'::regclass and attname = 'spent') then
    alter table wallet_sync.funder_balance add column spent bigint not null default 0;
  end if;
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.spending_limit'::regclass and attname = 'account_amount') then
    alter table wallet_sync.spending_limit add column account_amount bigint not null default 10000000 check (account_amount >= 0);
  end if;
  -- What making a creation's accounts did cost: sql/021 says more.
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.transaction'::regclass and attname = 'account_cost') then
    alter table wallet_sync.transaction add column account_cost bigint;
  end if;
  -- limited: wallets with too little FLOW that a limit leaves as they are until it has room.
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.cycle'::regclass and attname = 'limited') then
    alter table wallet_sync.cycle add column limited bigint not null default 0;
  end if;
  -- A wallet's fundings, for its own limits.
  if to_regclass('wallet_sync.member_funding') is null then
    create index member_funding on wallet_sync.member (account_id) where balance_height is not null;
  end if;
end
$$;

-- What a transaction may cost, in 10^-8 FLOW: its fee at most, and an account beside what it is given, the chain's minimum balance of 0.001,
-- which its payer puts into it. The highest fee is that of 9,999 computation at 0.00004 FLOW each and 0.0001 for the inclusion (FLIP 351, at
-- surge 1): 0.40006. The most that was measured on the emulator is 0.00051.
create or replace function wallet_sync.fee_bound() returns bigint
language sql immutable set search_path = pg_catalog, pg_temp as 'select 41000000::bigint';
create or replace function wallet_sync.account_cost() returns bigint
language sql immutable set search_path = pg_catalog, pg_temp as 'select 100000::bigint';

-- What the members of a transaction are sent, with what making them costs. A row from before amounts were kept counts as 0.1 FLOW.
create or replace function wallet_sync.sends(of_transaction text, kind text, out flow bigint, out members bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(coalesce(m.amount, case when kind in ('create', 'fund') then 10000000 else 0 end)), 0)::bigint
      + case when kind = 'create' then count(*) * wallet_sync.account_cost() else 0 end,
    count(*)
  from wallet_sync.member m where m.transaction_id = of_transaction
$$;

-- What is used of each limit: spent within its window, and reserved. A while of spending counts until a window after its end; what no window
-- reaches is kept longer than that, and not read.
create or replace function wallet_sync.limit_used(out flow_short bigint, out flow_long bigint, out accounts_short bigint)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  moment constant timestamptz := clock_timestamp();
begin
  select r.flow + coalesce(sum(s.flow) filter (where s.ends_at > moment - make_interval(secs => l.short_window_s)), 0),
    r.flow + coalesce(sum(s.flow) filter (where s.ends_at > moment - make_interval(secs => l.long_window_s)), 0),
    r.accounts + coalesce(sum(s.accounts) filter (where s.ends_at > moment - make_interval(secs => l.short_window_s)), 0)
  into flow_short, flow_long, accounts_short
  from wallet_sync.spending_limit l
  cross join (select coalesce(sum(e.flow), 0) as flow, coalesce(sum(e.accounts), 0) as accounts from wallet_sync.reservation e) r
  left join wallet_sync.spending s on s.ends_at > moment - make_interval(secs => greatest(l.short_window_s, l.long_window_s))
  group by r.flow, r.accounts;
end
$$;

-- How each limit stands. room_in_s: in how many seconds a transaction for one account that is sent `amount` (null: what the instances send)
-- fits; 0: now; null: not before an unsettled transaction settles.
create or replace function wallet_sync.limit_standing(amount bigint default null)
returns table (name text, most bigint, used bigint, window_s double precision, room_in_s double precision)
language sql volatile set search_path = pg_catalog, pg_temp as $$
  select l.name, l.most, l.used, l.window_s,
    case when l.most is null or l.used + l.unit <= l.most then 0
      else (
        select min(greatest(0, extract(epoch from e.ends_at + make_interval(secs => l.window_s) - clock_timestamp())))::double precision from (
          select p.ends_at, sum(case l.name when 'accounts_short' then p.accounts else p.flow end) over (order by p.ends_at) as freed
          from wallet_sync.spending p where p.ends_at > (select clock_timestamp()) - make_interval(secs => l.window_s)
        ) e where l.used - e.freed + l.unit <= l.most
      ) end
  from wallet_sync.spending_limit s, wallet_sync.limit_used() u, lateral (values
    ('flow_short', s.flow_short, u.flow_short, s.short_window_s, coalesce(amount, s.account_amount) + wallet_sync.account_cost() + wallet_sync.fee_bound()),
    ('flow_long', s.flow_long, u.flow_long, s.long_window_s, coalesce(amount, s.account_amount) + wallet_sync.account_cost() + wallet_sync.fee_bound()),
    ('accounts_short', s.accounts_short, u.accounts_short, s.short_window_s, 1)
  ) l (name, most, used, window_s, unit)
$$;

-- Reserves what a transaction may cost, at the end of the one that records it: no lock is held while something else is waited for. WS020
-- where a limit has no room; then nothing of it is recorded, and it must not be broadcast.
create or replace function wallet_sync.reserve_spending() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  paid_by constant text := coalesce(new.payer_address, new.proposer_address);
  sent record;
  used record;
  most wallet_sync.spending_limit;
  over text;
  has bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'spending limits need isolation read committed' using errcode = 'invalid_transaction_state';
  end if;
  select * into sent from wallet_sync.sends(new.id, new.kind);
  perform pg_advisory_xact_lock(7420031551020);
  insert into wallet_sync.reservation (transaction_id, payer, flow, accounts)
    values (new.id, paid_by, sent.flow + wallet_sync.fee_bound(), case when new.kind = 'create' then sent.members else 0 end);
  select * into used from wallet_sync.limit_used();
  select * into most from wallet_sync.spending_limit;
  over := case
    when used.flow_short > most.flow_short then format('%s of %s', used.flow_short, most.flow_short)
    when used.flow_long > most.flow_long then format('%s of %s', used.flow_long, most.flow_long)
    when new.kind = 'create' and used.accounts_short > most.accounts_short then format('%s of %s accounts', used.accounts_short, most.accounts_short) end;
  if over is not null then
    raise exception 'a spending limit has no room for this transaction: with it % would be used', over using errcode = 'WS020';
  end if;
  if most.funder_floor > 0 then
    select b.balance - b.spent - (select coalesce(sum(r.flow), 0) from wallet_sync.reservation r where r.payer = paid_by) into has
    from wallet_sync.funder_balance b where b.address = paid_by;
    if has < most.funder_floor then
      raise exception 'funding account % would be left with less than the floor of funders', paid_by using errcode = 'WS022';
    end if;
  end if;
  return null;
end
$$;

-- What a settled transaction did cost takes its reservation's place; one that was given up may still have cost all of it. One that was
-- refused for its sequence number, or was not taken by a node, cost nothing: the chain never executed it. A creation's account_cost is in
-- its row by the commit, where its events have told it.
create or replace function wallet_sync.count_spending() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  moment constant timestamptz := clock_timestamp();
  held record;
  cost bigint;
  made bigint;
  width interval;
  begins timestamptz;
begin
  delete from wallet_sync.reservation r where r.transaction_id = new.id returning r.payer, r.flow, r.accounts into held;
  if not found then
    return null;
  end if;
  if new.state = 'given_up' then
    cost := held.flow;
  elsif new.state = 'failed' and new.fee is null and new.error_kind in ('sequence', 'data') then
    cost := 0;
  else
    cost := case when new.state = 'sealed' then held.flow - wallet_sync.fee_bound() else 0 end + coalesce(new.fee, wallet_sync.fee_bound());
  end if;
  made := case when new.state = 'failed' then 0 else held.accounts end;
  if new.state = 'sealed' and new.kind = 'create' then
    cost := cost + coalesce((select t.account_cost from wallet_sync.transaction t where t.id = new.id) - made * wallet_sync.account_cost(), 0);
  end if;
  -- A 60th of the shorter window, and no less than half a second.
  select make_interval(secs => greatest(0.5, least(l.short_window_s, l.long_window_s) / 60)) into width from wallet_sync.spending_limit l;
  begins := date_bin(width, moment, timestamptz 'epoch');
  insert into wallet_sync.spending as s (starts_at, ends_at, flow, accounts) values (begins, begins + width, cost, made)
    on conflict (starts_at) do update set ends_at = greatest(s.ends_at, excluded.ends_at), flow = s.flow + excluded.flow, accounts = s.accounts + excluded.accounts;
  update wallet_sync.funder_balance b set spent = b.spent + cost where b.address = held.payer;
  return null;
end
$$;

-- A wallet's own limits, under the lock on its account that guard_member has taken. WS021 where it has had its fundings.
create or replace function wallet_sync.guard_wallet_limit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.balance_height is not null and exists (select from wallet_sync.wallets_at_limit(array[new.account_id])) then
    raise exception 'account % has had its fundings: the limit for one wallet is reached', new.account_id using errcode = 'WS021';
  end if;
  return new;
end
$$;

-- Those of these accounts that get no funding now: they have had as many as one wallet gets within the long window, or ever. What may have
-- reached it counts, from when it is recorded until a window after its end; what failed does not.
create or replace function wallet_sync.wallets_at_limit(account_ids bigint[]) returns table (account_id bigint, ever boolean)
language sql volatile set search_path = pg_catalog, pg_temp as $$
  select a.id, f.ever >= l.wallet_fundings_ever
  from wallet_sync.spending_limit l, unnest(account_ids) a (id), lateral (
    select count(*) as ever, count(*) filter (where t.settled_at is null or t.settled_at > clock_timestamp() - make_interval(secs => l.long_window_s)) as lately
    from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id
    where m.account_id = a.id and m.balance_height is not null and t.kind = 'fund' and t.state <> 'failed'
  ) f
  where f.ever >= l.wallet_fundings_ever or f.lately >= l.wallet_fundings_long
$$;

-- Keeps a balance that was read `read_ms` milliseconds ago or a little later. What settled since then, or just before (a node may be
-- behind), is taken off it once more: the next look corrects that.
create or replace function wallet_sync.save_balance(of_address text, seen bigint, read_ms double precision) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  lately bigint;
  since constant timestamptz := clock_timestamp() - make_interval(secs => read_ms / 1000) - interval '5 seconds';
begin
  -- Who settles meanwhile adds to `spent` under this lock: what is read next has it, or it is added afterwards.
  perform from wallet_sync.funder_balance b where b.address = of_address for update;
  -- The fees and amounts of the few that settled within seconds.
  select coalesce(sum(coalesce(t.fee, wallet_sync.fee_bound()) + case when t.state = 'failed' then 0 else (wallet_sync.sends(t.id, t.kind)).flow end), 0) into lately
  from wallet_sync.transaction t
  where t.state in ('sealed', 'failed', 'given_up') and t.kind in ('create', 'fund', 'repair', 'add-keys') and t.settled_at > since
    and coalesce(t.payer_address, t.proposer_address) = of_address;
  insert into wallet_sync.funder_balance as b (address, balance, spent) values (of_address, seen, lately)
    on conflict (address) do update set balance = excluded.balance, spent = excluded.spent, seen_at = clock_timestamp();
end
$$;

-- Drops what no window reaches any more. Returns how many rows.
create or replace function wallet_sync.prune_spending() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  gone bigint;
begin
  delete from wallet_sync.spending s using wallet_sync.spending_limit l
  where s.ends_at < clock_timestamp() - 2 * make_interval(secs => greatest(l.short_window_s, l.long_window_s, 86400));
  get diagnostics gone = row_count;
  return gone;
end
$$;

do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.transaction'::regclass and tgname = 'reserve_spending' and tgenabled <> 'D') then
    -- What is live already was recorded without one. Nobody records or settles between the look and the triggers.
    lock table wallet_sync.transaction in share row exclusive mode;
    insert into wallet_sync.reservation (transaction_id, payer, flow, accounts)
      select t.id, coalesce(t.payer_address, t.proposer_address), s.flow + wallet_sync.fee_bound(), case when t.kind = 'create' then s.members else 0 end
      from wallet_sync.transaction t, lateral wallet_sync.sends(t.id, t.kind) s where t.state = 'live' on conflict do nothing;
    drop trigger if exists reserve_spending on wallet_sync.transaction;
    create constraint trigger reserve_spending after insert on wallet_sync.transaction deferrable initially deferred
      for each row when (new.state = 'live') execute function wallet_sync.reserve_spending();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.transaction'::regclass and tgname = 'count_spending' and tgenabled <> 'D') then
    drop trigger if exists count_spending on wallet_sync.transaction;
    -- Deferred, so that the row that all who settle write to is locked last and for no longer than a commit.
    create constraint trigger count_spending after update on wallet_sync.transaction deferrable initially deferred
      for each row when (old.state = 'live' and new.state <> 'live') execute function wallet_sync.count_spending();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.member'::regclass and tgname = 'guard_wallet_limit' and tgenabled <> 'D') then
    create or replace trigger guard_wallet_limit before insert on wallet_sync.member
      for each row execute function wallet_sync.guard_wallet_limit();
  end if;
end
$$;

revoke all on wallet_sync.spending_limit, wallet_sync.reservation, wallet_sync.spending from public, anon, authenticated;
grant select, update on wallet_sync.spending_limit to wallet_sync_service;
grant select on wallet_sync.reservation, wallet_sync.spending to wallet_sync_service;
revoke all on function wallet_sync.fee_bound(), wallet_sync.account_cost(), wallet_sync.sends(text, text), wallet_sync.limit_used(), wallet_sync.limit_standing(bigint), wallet_sync.reserve_spending(),
  wallet_sync.count_spending(), wallet_sync.guard_wallet_limit(), wallet_sync.wallets_at_limit(bigint[]), wallet_sync.save_balance(text, bigint, double precision),
  wallet_sync.prune_spending() from public;
grant execute on function wallet_sync.fee_bound(), wallet_sync.account_cost(), wallet_sync.sends(text, text), wallet_sync.limit_used(), wallet_sync.limit_standing(bigint),
  wallet_sync.wallets_at_limit(bigint[]), wallet_sync.save_balance(text, bigint, double precision), wallet_sync.prune_spending() to wallet_sync_service;

insert into wallet_sync.migration (name) values ('020_limits.sql') on conflict do nothing;
