-- The journal: the only memory that must survive. Invariants are constraints; docs/states.md tells the states.
set local lock_timeout = '5s';

do $$
begin
  if to_regtype('wallet_sync.account_state') is null then
    create type wallet_sync.account_state as enum ('prepared', 'submitted', 'free', 'assigned', 'expired', 'set_aside', 'failed');
  end if;
  if to_regtype('wallet_sync.transaction_state') is null then
    create type wallet_sync.transaction_state as enum ('live', 'sealed', 'failed', 'given_up');
  end if;
end
$$;

-- One running process. awake_until: until then it looks at the backlog by itself and need not be rung.
create table if not exists wallet_sync.instance (
  id uuid primary key,
  host text not null,
  pid integer not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  awake_until timestamptz,
  stopped_at timestamptz,
  statistics jsonb not null default '{}'
);
create index if not exists instance_awake on wallet_sync.instance (awake_until) where awake_until is not null;

-- A funding account's key. The epoch moves with every lease; a write that carries an older one changes no row.
create table if not exists wallet_sync.slot (
  address text not null check (address ~ '^0x[0-9a-f]{16}$'),
  key_index integer not null check (key_index >= 0),
  leased_by uuid,
  epoch bigint not null default 0,
  lease_until timestamptz,
  used_at timestamptz,
  sequence_number bigint,
  out_of_rotation text,
  primary key (address, key_index)
);

-- A key pair and, once the chain has shown it, its address. auth_id has no foreign key: deleting a user keeps the key.
-- deposit_height: no block above it holds a deposit of ours. batch_max: after a failure that a member can cause, the largest batch
-- it may be part of (null: any). assigned_xid: the transaction that gave it, for those who follow the assignments.
create table if not exists wallet_sync.account (
  id bigint generated always as identity primary key,
  state wallet_sync.account_state not null default 'prepared',
  public_key text not null unique,
  private_key text not null check (private_key <> ''),
  address text unique check (address ~ '^0x[0-9a-f]{16}$'),
  auth_id uuid unique,
  prepared_by uuid,
  prepared_at timestamptz not null default clock_timestamp(),
  free_at timestamptz,
  assigned_at timestamptz,
  assignment bigint unique,
  assigned_xid xid8,
  delivered_by text,
  pool_hit boolean,
  deposit_height bigint,
  batch_max integer check (batch_max > 0),
  error_kind text,
  error text,
  solution text,
  -- Not '^[0-9a-f]{128}$', which took half of an update's time: 48 µs each, where this takes 5.
  constraint public_key_is_hex check (length(public_key) = 128 and public_key !~ '[^0-9a-f]'),
  constraint assigned_has_user check ((state = 'assigned') = (auth_id is not null)),
  constraint assigned_has_place check ((state = 'assigned') = (assignment is not null)),
  constraint address_only_from_chain check ((state in ('free', 'assigned', 'set_aside')) = (address is not null))
);
-- Sign-ups may write to this table and its history: what is there already is not made again, which would wait for those under way.
do $$
begin
  if to_regclass('wallet_sync.account_free') is null then
    create index account_free on wallet_sync.account (id) where state = 'free';
  end if;
  if to_regclass('wallet_sync.account_prepared') is null then
    create index account_prepared on wallet_sync.account (id) where state = 'prepared';
  end if;
  if to_regclass('wallet_sync.account_assigned_xid') is null then
    create index account_assigned_xid on wallet_sync.account (assigned_xid) where assigned_xid is not null;
  end if;
  if to_regclass('wallet_sync.account_assigned') is null then
    create index account_assigned on wallet_sync.account (assigned_at) where assigned_at is not null;
  end if;
  if to_regclass('wallet_sync.account_open') is null then
    create index account_open on wallet_sync.account (state) where state in ('prepared', 'submitted', 'expired');
  end if;
end
$$;

-- The master keys that private keys are encrypted under, by the id that each ciphertext names. current: seals. next: a rotation moves keys
-- to it, and it becomes current. retiring: opens what a rotation has not moved yet; no account under it is given. retired: opens nothing that is
-- stored. Here because the functions of 006 read it; what guards it is in 018.
create table if not exists wallet_sync.master_key (
  id text primary key check (id ~ '^[0-9a-f]{8}$'),
  state text not null check (state in ('next', 'current', 'retiring', 'retired')),
  registered_at timestamptz not null default clock_timestamp(),
  since timestamptz not null default clock_timestamp()
);

-- The order in which accounts were given: the cursor that the configuration files follow.
create sequence if not exists wallet_sync.assignment;

-- A signed transaction, committed before its first broadcast. body is what is sent, byte for byte, each time.
create table if not exists wallet_sync.transaction (
  id text primary key check (id ~ '^[0-9a-f]{64}$'),
  kind text not null check (kind in ('create', 'fund', 'repair', 'add-keys')),
  body text not null,
  proposer_address text not null,
  proposer_key_index integer not null,
  sequence_number bigint not null,
  reference_height bigint not null,
  expiry_blocks integer not null,
  state wallet_sync.transaction_state not null default 'live',
  instance uuid not null,
  epoch bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  sealed_height bigint,
  fee bigint,
  execution_effort bigint,
  error_kind text,
  error text,
  constraint settled_has_time check ((state = 'live') = (settled_at is null))
);
-- A slot carries one unsealed transaction.
create unique index if not exists transaction_one_live_per_slot
  on wallet_sync.transaction (proposer_address, proposer_key_index) where state = 'live';
-- Keys are added to a funder by one transaction at a time: a repeat of the command finds the first one.
create unique index if not exists transaction_one_live_add_keys
  on wallet_sync.transaction (proposer_address) where state = 'live' and kind = 'add-keys';
create index if not exists transaction_settled on wallet_sync.transaction (settled_at) where state = 'sealed';
create index if not exists transaction_given_up on wallet_sync.transaction (settled_at) where state = 'given_up';

-- A signed transaction never changes, and its end is final, but for one that was given up and sealed after all.
create or replace function wallet_sync.guard_transaction() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.state <> new.state and not (old.state::text || '>' || new.state::text = any (array[
    'live>sealed', 'live>failed', 'live>given_up', 'given_up>sealed'
  ])) then
    raise exception 'transaction % cannot go from % to %', old.id, old.state, new.state;
  end if;
  if (old.id, old.kind, old.body, old.proposer_address, old.proposer_key_index, old.sequence_number, old.reference_height, old.expiry_blocks)
    is distinct from (new.id, new.kind, new.body, new.proposer_address, new.proposer_key_index, new.sequence_number, new.reference_height, new.expiry_blocks) then
    raise exception 'transaction % is signed and never changes', old.id;
  end if;
  return new;
end
$$;
create or replace trigger guard_transaction before update on wallet_sync.transaction
  for each row execute function wallet_sync.guard_transaction();

-- Which accounts a transaction serves. An account has at most one live transaction. balance_height: of a funding, the block of
-- the balance that it rests on.
create table if not exists wallet_sync.member (
  transaction_id text not null references wallet_sync.transaction (id),
  account_id bigint not null references wallet_sync.account (id),
  live boolean not null default true,
  balance_height bigint,
  primary key (transaction_id, account_id)
);
create unique index if not exists member_one_live_per_account on wallet_sync.member (account_id) where live;

-- A funding rests on a balance that no later deposit has made untrue: the account's row is locked, and a balance read below
-- the height of its last deposit is refused.
create or replace function wallet_sync.guard_member() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  is_funding boolean := (select t.kind = 'fund' from wallet_sync.transaction t where t.id = new.transaction_id);
  last_deposit bigint;
begin
  if is_funding <> (new.balance_height is not null) then
    raise exception 'a funding, and nothing else, names the height of a balance (account %)', new.account_id;
  end if;
  if is_funding then
    select coalesce(a.deposit_height, 0) into last_deposit from wallet_sync.account a
    where a.id = new.account_id and a.state in ('free', 'assigned') for update;
    if last_deposit is null then
      raise exception 'account % is neither free nor assigned: it gets no FLOW', new.account_id;
    end if;
    if new.balance_height < last_deposit then
      raise exception 'account % had a deposit at % after its balance was read at %', new.account_id, last_deposit, new.balance_height
        using errcode = 'WS007';
    end if;
  end if;
  return new;
end
$$;
create or replace trigger guard_member before insert on wallet_sync.member
  for each row execute function wallet_sync.guard_member();

-- Every change of an account's state, written by the change itself.
create table if not exists wallet_sync.account_history (
  id bigint generated always as identity primary key,
  account_id bigint not null,
  from_state wallet_sync.account_state,
  to_state wallet_sync.account_state not null,
  at timestamptz not null default clock_timestamp()
);
do $$
begin
  if to_regclass('wallet_sync.account_history_account') is null then
    create index account_history_account on wallet_sync.account_history (account_id);
  end if;
end
$$;

create or replace function wallet_sync.guard_account() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if old.state <> new.state then
    if not (old.state::text || '>' || new.state::text = any (array[
      'prepared>submitted', 'submitted>prepared', 'submitted>free', 'submitted>expired', 'submitted>failed',
      'failed>prepared', 'expired>free', 'free>assigned', 'free>set_aside'
    ])) then
      raise exception 'account % cannot go from % to %', old.id, old.state, new.state;
    end if;
    insert into wallet_sync.account_history (account_id, from_state, to_state) values (new.id, old.state, new.state);
  end if;
  if old.public_key <> new.public_key then
    raise exception 'the public key of account % never changes', old.id;
  end if;
  if old.address is not null and old.address is distinct from new.address then
    raise exception 'the address of account % never changes', old.id;
  end if;
  if old.auth_id is not null and old.auth_id is distinct from new.auth_id then
    raise exception 'account % never leaves its user', old.id;
  end if;
  return new;
end
$$;
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.account'::regclass and tgname = 'guard_account' and tgenabled <> 'D') then
    create or replace trigger guard_account before update on wallet_sync.account
      for each row execute function wallet_sync.guard_account();
  end if;
end
$$;

-- A user's state where it is not plain from public.wallet: held by a policy, corrupted, or orphaned.
create table if not exists wallet_sync.user_state (
  auth_id uuid primary key,
  state text not null check (state in ('held', 'corrupted', 'orphaned')),
  reason text not null,
  solution text,
  since timestamptz not null default clock_timestamp()
);

-- The sweeper's lease: one instance sweeps at a time. Its writes carry the epoch and change nothing once that has moved.
create table if not exists wallet_sync.sweeper (
  only_row boolean primary key default true check (only_row),
  leased_by uuid,
  epoch bigint not null default 0,
  lease_until timestamptz
);
insert into wallet_sync.sweeper default values on conflict do nothing;

-- One sweep and its ten counters.
create table if not exists wallet_sync.cycle (
  id bigint generated always as identity primary key,
  reason text not null,
  instance uuid not null,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  last_user uuid,
  total_wallets bigint not null default 0,
  synced_wallets bigint not null default 0,
  corrupted_wallets bigint not null default 0,
  wallets_created bigint not null default 0,
  vaults_created bigint not null default 0,
  vaults_already_exist bigint not null default 0,
  flow_balance_checks bigint not null default 0,
  flow_funding_needed bigint not null default 0,
  flow_funding_success bigint not null default 0,
  flow_funding_errors bigint not null default 0
);

revoke all on all tables in schema wallet_sync from public, anon, authenticated;
revoke all on function wallet_sync.guard_account(), wallet_sync.guard_transaction(), wallet_sync.guard_member() from public;
grant select, insert, update on wallet_sync.instance, wallet_sync.slot, wallet_sync.account, wallet_sync.transaction,
  wallet_sync.member, wallet_sync.user_state, wallet_sync.cycle to wallet_sync_service;
grant select, update on wallet_sync.sweeper to wallet_sync_service;
grant delete on wallet_sync.instance, wallet_sync.user_state to wallet_sync_service;
grant select on wallet_sync.account_history to wallet_sync_service;
grant usage on sequence wallet_sync.assignment to wallet_sync_service;

-- The older form of the account's check says the same, so this can wait for a migration at a quiet time; sign-ups that give accounts wait for
-- none. Last: its lock is held to the end.
do $$
begin
  if exists (select from pg_constraint where conrelid = 'wallet_sync.account'::regclass and conname = 'account_public_key_check') then
    perform set_config('lock_timeout', '50ms', true);
    alter table wallet_sync.account drop constraint account_public_key_check,
      add constraint public_key_is_hex check (length(public_key) = 128 and public_key !~ '[^0-9a-f]') not valid;
    perform set_config('lock_timeout', '5s', true);
  end if;
exception when lock_not_available then
  raise warning 'wallet_sync.account is in use: its check of public keys stays the slower one until the next migration';
end
$$;

insert into wallet_sync.migration (name) values ('003_journal.sql') on conflict do nothing;
