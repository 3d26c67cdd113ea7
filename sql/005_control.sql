-- What operators ask for. Truth is a row; a NOTIFY only says that it changed.
set local lock_timeout = '5s';

create table if not exists wallet_sync.control (
  only_row boolean primary key default true check (only_row),
  paused boolean not null default false,
  changed_at timestamptz not null default clock_timestamp()
);
insert into wallet_sync.control default values on conflict do nothing;

-- The policy that all running instances share, written by the first that starts (policy_set_at: when). provision: who is given a
-- wallet. assign: by whom. low_water: where sign-ups take accounts themselves, they ring when fewer are left.
-- Sign-ups read this row: altering the table waits for the oldest of them, so it is altered once.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.control'::regclass and attname = 'policy_set_at') then
    alter table wallet_sync.control
      add column if not exists provision text not null default 'all' check (provision in ('all', 'confirmed', 'non-anonymous')),
      add column if not exists assign text not null default 'daemon' check (assign in ('daemon', 'trigger')),
      add column if not exists low_water integer not null default 1 check (low_water >= 0),
      add column if not exists policy_set_at timestamptz;
  end if;
end
$$;

-- A resync of one user, or of all where auth_id is null. Taken once, by whoever comes first.
create table if not exists wallet_sync.resync_request (
  id bigint generated always as identity primary key,
  auth_id uuid,
  sender_pid integer,
  asked_at timestamptz not null default clock_timestamp(),
  taken_at timestamptz,
  taken_by uuid
);
create index if not exists resync_request_open on wallet_sync.resync_request (id) where taken_at is null;

create or replace function wallet_sync.resync() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into wallet_sync.resync_request (auth_id) values (null);
  select pg_notify('wallet_sync_changed', '');
$$;

create or replace function wallet_sync.resync(auth_id uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into wallet_sync.resync_request (auth_id) values (resync.auth_id);
  select pg_notify('wallet_sync_changed', '');
$$;

create or replace function wallet_sync.set_paused(paused boolean) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update wallet_sync.control c set paused = set_paused.paused, changed_at = clock_timestamp() where c.paused <> set_paused.paused;
  select pg_notify('wallet_sync_changed', '');
$$;

-- Records a raw NOTIFY wallet_sync_control. Every instance hears it and calls this; one resync within 4 s of the same
-- sender's same command is the same one (instances hear it within moments; a repeat is passed on after 5 s). pause and resume need no such care: the last one heard is the last one sent.
create or replace function wallet_sync.record_control(command text, auth_id uuid, sender integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if command in ('pause', 'resume') then
    perform wallet_sync.set_paused(command = 'pause');
    return;
  end if;
  if command <> 'resync' then
    raise exception 'unknown command %', command;
  end if;
  perform pg_advisory_xact_lock(7420031551002);
  if exists (
    select from wallet_sync.resync_request r
    where r.sender_pid = record_control.sender and r.auth_id is not distinct from record_control.auth_id
      and r.asked_at > clock_timestamp() - interval '4 seconds'
  ) then
    return;
  end if;
  insert into wallet_sync.resync_request (auth_id, sender_pid) values (record_control.auth_id, sender);
  perform pg_notify('wallet_sync_changed', '');
end
$$;

revoke all on wallet_sync.control, wallet_sync.resync_request from public, anon, authenticated;
grant select, update (provision, assign, low_water, policy_set_at) on wallet_sync.control to wallet_sync_service;
grant select, update, delete on wallet_sync.resync_request to wallet_sync_service;
revoke all on function wallet_sync.resync(), wallet_sync.resync(uuid), wallet_sync.set_paused(boolean), wallet_sync.record_control(text, uuid, integer) from public;
grant execute on function wallet_sync.resync(), wallet_sync.resync(uuid), wallet_sync.set_paused(boolean), wallet_sync.record_control(text, uuid, integer)
  to wallet_sync_service;

insert into wallet_sync.migration (name) values ('005_control.sql') on conflict do nothing;
