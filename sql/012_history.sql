-- What is measured: the cycles' totals for good, the funders' balances as last seen, and an aggregate a minute.
set local lock_timeout = '5s';

-- Counting a million accounts and transactions by state reads these small indexes alone, and the minute's ends are found in one.
do $$
begin
  if to_regclass('wallet_sync.account_ended') is null then
    create index account_ended on wallet_sync.account (state) where state in ('set_aside', 'failed');
  end if;
  if to_regclass('wallet_sync.transaction_ended') is null then
    create index transaction_ended on wallet_sync.transaction (state, kind, settled_at);
  end if;
end
$$;

-- The counters of the cycles that are no longer kept: a total must never fall, or who computes a rate from it sees a leap.
create table if not exists wallet_sync.cycle_carried (
  only_row boolean primary key default true check (only_row),
  cycles bigint not null default 0,
  total_wallets bigint not null default 0,
  synced_wallets bigint not null default 0,
  corrupted_wallets bigint not null default 0,
  wallets_created bigint not null default 0,
  vaults_created bigint not null default 0,
  vaults_already_exist bigint not null default 0,
  flow_balance_checks bigint not null default 0,
  flow_funding_needed bigint not null default 0,
  flow_funding_success bigint not null default 0,
  flow_funding_errors bigint not null default 0,
  flow_spent bigint not null default 0
);
insert into wallet_sync.cycle_carried default values on conflict do nothing;

create or replace function wallet_sync.carry_cycles() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update wallet_sync.cycle_carried c set
    cycles = c.cycles + g.cycles, total_wallets = c.total_wallets + g.total_wallets, synced_wallets = c.synced_wallets + g.synced_wallets,
    corrupted_wallets = c.corrupted_wallets + g.corrupted_wallets, wallets_created = c.wallets_created + g.wallets_created,
    vaults_created = c.vaults_created + g.vaults_created, vaults_already_exist = c.vaults_already_exist + g.vaults_already_exist,
    flow_balance_checks = c.flow_balance_checks + g.flow_balance_checks, flow_funding_needed = c.flow_funding_needed + g.flow_funding_needed,
    flow_funding_success = c.flow_funding_success + g.flow_funding_success, flow_funding_errors = c.flow_funding_errors + g.flow_funding_errors,
    flow_spent = c.flow_spent + g.flow_spent
  from (
    select count(*) as cycles, sum(total_wallets) as total_wallets, sum(synced_wallets) as synced_wallets, sum(corrupted_wallets) as corrupted_wallets,
      sum(wallets_created) as wallets_created, sum(vaults_created) as vaults_created, sum(vaults_already_exist) as vaults_already_exist,
      sum(flow_balance_checks) as flow_balance_checks, sum(flow_funding_needed) as flow_funding_needed,
      sum(flow_funding_success) as flow_funding_success, sum(flow_funding_errors) as flow_funding_errors, sum(flow_spent) as flow_spent
    from gone
  ) g
  where g.cycles > 0;
  return null;
end
$$;
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.cycle'::regclass and tgname = 'carry_cycles' and tgenabled <> 'D') then
    create or replace trigger carry_cycles after delete on wallet_sync.cycle
      referencing old table as gone for each statement execute function wallet_sync.carry_cycles();
  end if;
end
$$;

-- All cycles ever, added: those that are kept and those that are not.
create or replace view wallet_sync.cycle_totals with (security_invoker = true) as
  select sum(cycles)::bigint as cycles, sum(total_wallets)::bigint as total_wallets, sum(synced_wallets)::bigint as synced_wallets,
    sum(corrupted_wallets)::bigint as corrupted_wallets, sum(wallets_created)::bigint as wallets_created, sum(vaults_created)::bigint as vaults_created,
    sum(vaults_already_exist)::bigint as vaults_already_exist, sum(flow_balance_checks)::bigint as flow_balance_checks,
    sum(flow_funding_needed)::bigint as flow_funding_needed, sum(flow_funding_success)::bigint as flow_funding_success,
    sum(flow_funding_errors)::bigint as flow_funding_errors, sum(flow_spent)::bigint as flow_spent
  from (
    select 1 as cycles, total_wallets, synced_wallets, corrupted_wallets, wallets_created, vaults_created, vaults_already_exist,
      flow_balance_checks, flow_funding_needed, flow_funding_success, flow_funding_errors, flow_spent from wallet_sync.cycle
    union all
    select cycles, total_wallets, synced_wallets, corrupted_wallets, wallets_created, vaults_created, vaults_already_exist,
      flow_balance_checks, flow_funding_needed, flow_funding_success, flow_funding_errors, flow_spent from wallet_sync.cycle_carried
  ) each_cycle;

-- A funder's balance as an instance last saw it, in 10^-8 FLOW: who shows it asks no chain.
create table if not exists wallet_sync.funder_balance (
  address text primary key check (address ~ '^0x[0-9a-f]{16}$'),
  balance bigint not null check (balance >= 0),
  seen_at timestamptz not null default clock_timestamp()
);

-- A minute of an instance. The first line is the database's own, the same whoever writes it, and so is right as soon as one instance ran
-- at the minute's end; the second is the process's. Latencies run from a wallet's row to its account.
create table if not exists wallet_sync.history (
  minute timestamptz not null,
  instance uuid not null,
  recorded_at timestamptz not null default clock_timestamp(),
  sign_ups bigint not null, ready bigint not null, p50_ms double precision, p99_ms double precision, waiting bigint not null, free bigint not null,
  transactions_sealed bigint not null, transactions_failed bigint not null, db_connections integer not null,
  scripts bigint not null, rss_bytes bigint not null, cpu_ratio double precision not null, event_loop_lag_ms double precision not null,
  primary key (minute, instance),
  constraint is_a_minute check (minute = date_trunc('minute', minute))
);

-- As wallet_sync.assign, and tells of each account how it came to its user. A statement of its own reads that: one that joins the call
-- with the tables sees them as they were before it, without users who came meanwhile.
create or replace function wallet_sync.assign_and_tell(max_users integer, via text, heard jsonb, only_user uuid default null)
returns table (auth_id uuid, address text, account_id bigint, delivered_by text, pool_hit boolean, waited_ms double precision)
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
  given bigint[] := array(select g.account_id from wallet_sync.assign(max_users, via, heard, only_user) g);
begin
  if cardinality(given) = 0 then
    return;
  end if;
  return query
    select a.auth_id, a.address, a.id, a.delivered_by, a.pool_hit, extract(epoch from a.assigned_at - w.created_at)::double precision * 1000
    from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id
    where a.id = any(given) order by a.assignment;
end
$$;

revoke all on wallet_sync.cycle_carried, wallet_sync.cycle_totals, wallet_sync.funder_balance, wallet_sync.history from public, anon, authenticated;
grant select on wallet_sync.cycle_carried, wallet_sync.cycle_totals to wallet_sync_service;
grant select, insert, update on wallet_sync.funder_balance to wallet_sync_service;
grant select, insert, update, delete on wallet_sync.history to wallet_sync_service;
revoke all on function wallet_sync.carry_cycles(), wallet_sync.assign_and_tell(integer, text, jsonb, uuid) from public;
grant execute on function wallet_sync.assign_and_tell(integer, text, jsonb, uuid) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('012_history.sql') on conflict do nothing;
