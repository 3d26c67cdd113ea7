-- The bell: a sign-up makes the user's wallet row and rings, and never fails or waits because of it.
-- While a new trigger waits for its lock on auth.users, every sign-up waits behind it: no longer than this.
set local lock_timeout = '1s';

-- Rings for a user unless somebody is awake. The three looks are separate statements, so that each has its own snapshot:
-- after the shared lock is held, no instance can go to sleep without seeing this transaction's row, or us its sleep.
-- NOTIFY in each commit would cost 63 % of the sign-up rate; a full queue raises at commit, where nothing can catch it.
create or replace function wallet_sync.ring(auth_id uuid) returns void
language plpgsql security definer set search_path = '' set lock_timeout = '20ms' as $$
declare
  must_ring boolean := current_setting('transaction_isolation') <> 'read committed';
begin
  if not must_ring then
    must_ring := not pg_try_advisory_xact_lock_shared(wallet_sync.bell_lock());
  end if;
  if not must_ring then
    must_ring := not exists (select from wallet_sync.instance i where i.awake_until > clock_timestamp());
  end if;
  if must_ring and pg_notification_queue_usage() <= 0.5 then
    perform pg_notify('wallet_sync', auth_id::text);
  end if;
end
$$;

-- The advisory lock between the sign-ups (shared) and an instance that goes to sleep (exclusive). Both only try.
create or replace function wallet_sync.bell_lock() returns bigint
language sql immutable parallel safe set search_path = '' as $$ select 7420031551001 $$;

create or replace function wallet_sync.on_sign_up() returns trigger
language plpgsql security definer set search_path = '' set lock_timeout = '50ms' as $$
begin
  begin
    insert into public.wallet (auth_id) values (new.id);
  exception when others then
    return new; -- The next sweep finds users without a row.
  end;
  begin
    perform wallet_sync.ring(new.id);
  exception when others then
    null; -- The backlog poll finds waiting users.
  end;
  return new;
end
$$;

-- Rings when a policy that waits for a confirmation may have been met. The row is made at sign-up. A sign-up that is
-- confirmed at once calls both functions: their waits together stay below 100 ms.
create or replace function wallet_sync.on_user_change() returns trigger
language plpgsql security definer set search_path = '' set lock_timeout = '20ms' as $$
begin
  begin
    if exists (select from public.wallet w where w.auth_id = new.id and w.flow_address is null) then
      perform wallet_sync.ring(new.id);
    end if;
  exception when others then
    null;
  end;
  return new;
end
$$;

-- Last of the triggers by name: one that an application has for the same row goes first. Those that are there already are
-- not made again: that would stop all sign-ups for as long as the oldest one takes.
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'auth.users'::regclass and tgname = 'zz_wallet_sync_sign_up' and tgenabled <> 'D') then
    create or replace trigger zz_wallet_sync_sign_up after insert on auth.users
      for each row execute function wallet_sync.on_sign_up();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'auth.users'::regclass and tgname = 'zz_wallet_sync_user_change' and tgenabled <> 'D') then
    create or replace trigger zz_wallet_sync_user_change
      after update of email_confirmed_at, is_anonymous, banned_until, deleted_at on auth.users
      for each row when (
        old.email_confirmed_at is distinct from new.email_confirmed_at or old.is_anonymous is distinct from new.is_anonymous
        or old.banned_until is distinct from new.banned_until or old.deleted_at is distinct from new.deleted_at
      )
      execute function wallet_sync.on_user_change();
  end if;
end
$$;

revoke all on function wallet_sync.ring(uuid), wallet_sync.on_sign_up(), wallet_sync.on_user_change(), wallet_sync.bell_lock() from public;
grant execute on function wallet_sync.bell_lock() to wallet_sync_service;

insert into wallet_sync.migration (name) values ('004_bell.sql') on conflict do nothing;
