-- Repairs and fundings of wallets: who proposes and pays, for which cycle, and what the cycle counts of them.
set local lock_timeout = '5s';

-- role: a funder's key, or the key of a wallet that is being repaired, which proposes for itself: lease, epoch and take-over are the same.
-- payer_*: who pays where the proposer doesn't; a payer needs no sequence number, and so no slot. cycle: whose counters it adds to.
-- makes_vault: the wallet had none. flow_spent: in 10^-8 FLOW, fees included.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.slot'::regclass and attname = 'role') then
    alter table wallet_sync.slot add column role text not null default 'funder' check (role in ('funder', 'wallet'));
  end if;
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.transaction'::regclass and attname = 'payer_address') then
    alter table wallet_sync.transaction
      add column payer_address text,
      add column payer_key_index integer,
      add column cycle bigint references wallet_sync.cycle (id) on delete set null,
      add constraint payer_has_key check ((payer_address is null) = (payer_key_index is null));
  end if;
  if to_regclass('wallet_sync.transaction_cycle') is null then
    create index transaction_cycle on wallet_sync.transaction (cycle) where cycle is not null;
  end if;
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.member'::regclass and attname = 'makes_vault') then
    alter table wallet_sync.member add column makes_vault boolean not null default false;
  end if;
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.cycle'::regclass and attname = 'flow_spent') then
    alter table wallet_sync.cycle add column flow_spent bigint not null default 0;
  end if;
end
$$;

-- Where the epochs of wallets' slots begin: their rows come and go, and no lease must have the epoch of an earlier one.
create sequence if not exists wallet_sync.wallet_slot_epoch;

-- Who pays is signed too.
create or replace function wallet_sync.guard_payer() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (old.payer_address, old.payer_key_index) is distinct from (new.payer_address, new.payer_key_index) then
    raise exception 'transaction % is signed and never changes', old.id;
  end if;
  return new;
end
$$;

-- What guard_member doesn't ask: a repair is one wallet's own transaction, and neither it nor a funding is for the wallet of a user
-- who is gone. Beside that function and not in its place: 003 makes it anew each time, and between two files it would be the old one.
create or replace function wallet_sync.guard_mended() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  kind text := (select t.kind from wallet_sync.transaction t where t.id = new.transaction_id);
begin
  if kind not in ('fund', 'repair') then
    return new;
  end if;
  if kind = 'repair' and exists (select from wallet_sync.member m where m.transaction_id = new.transaction_id) then
    raise exception 'a repair has one member: account % is a second one', new.account_id;
  end if;
  if kind = 'repair' and not exists (select from wallet_sync.account a where a.id = new.account_id and a.state = 'assigned') then
    raise exception 'account % is not assigned: it is not repaired', new.account_id;
  end if;
  if exists (
    select from wallet_sync.account a join wallet_sync.user_state s on s.auth_id = a.auth_id
    where a.id = new.account_id and s.state = 'orphaned'
  ) then
    raise exception 'the user of account % is gone: nothing is spent on it', new.account_id using errcode = 'WS010';
  end if;
  -- Deleting a user empties his row's auth_id at once; the mark comes with the next sweep.
  if exists (
    select from wallet_sync.account a
    where a.id = new.account_id and a.state = 'assigned' and not exists (select from public.wallet w where w.auth_id = a.auth_id)
  ) then
    raise exception 'the user of account % has no wallet row: nothing is spent on it', new.account_id using errcode = 'WS010';
  end if;
  return new;
end
$$;

do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.transaction'::regclass and tgname = 'guard_payer' and tgenabled <> 'D') then
    create or replace trigger guard_payer before update on wallet_sync.transaction
      for each row execute function wallet_sync.guard_payer();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.member'::regclass and tgname = 'guard_mended' and tgenabled <> 'D') then
    create or replace trigger guard_mended before insert on wallet_sync.member
      for each row execute function wallet_sync.guard_mended();
  end if;
end
$$;

-- Removes the slots of wallets that nobody leases and that carry nothing. Who holds a row's lock is about to use it: it is passed over.
-- The row is looked at a second time, once it is locked: in between it may have been leased, used and left with a live transaction.
create or replace function wallet_sync.remove_idle_wallet_slots() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  idle record;
  removed bigint := 0;
begin
  for idle in
    select s.address, s.key_index from wallet_sync.slot s
    where s.role = 'wallet' and (s.leased_by is null or s.lease_until < clock_timestamp())
    order by s.address, s.key_index for update skip locked
  loop
    delete from wallet_sync.slot s
    where s.address = idle.address and s.key_index = idle.key_index and s.role = 'wallet' and (s.leased_by is null or s.lease_until < clock_timestamp())
      and not exists (
        select from wallet_sync.transaction t
        where t.proposer_address = s.address and t.proposer_key_index = s.key_index and t.state = 'live');
    if found then
      removed := removed + 1;
    end if;
  end loop;
  return removed;
end
$$;

revoke all on sequence wallet_sync.wallet_slot_epoch from public, anon, authenticated;
grant usage on sequence wallet_sync.wallet_slot_epoch to wallet_sync_service;
revoke all on function wallet_sync.guard_payer(), wallet_sync.guard_mended(), wallet_sync.remove_idle_wallet_slots() from public;
grant execute on function wallet_sync.remove_idle_wallet_slots() to wallet_sync_service;

insert into wallet_sync.migration (name) values ('009_mend.sql') on conflict do nothing;
