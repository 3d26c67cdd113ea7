-- The bell: a sign-up makes the user's wallet row and rings, and never fails or waits because of it.
-- While a new trigger waits for its lock on auth.users, every sign-up waits behind it: no longer than this.
set local lock_timeout = '1s';

-- Rings for a user unless somebody is awake. The three looks are separate statements, so that each has its own snapshot:
-- after the shared lock is held, no instance can go to sleep without seeing this transaction's row, or us its sleep.
-- NOTIFY in each commit would cost 63 % of the sign-up rate; a full queue raises at commit, where nothing can catch it.
create or replace function wallet_sync.ring(auth_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '10ms' as $$
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
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$ select 7420031551001 $$;

-- Who is given a wallet: soft-deleted users never, the others as the policy says. It has no settings of its own, so that it is
-- inlined where it is called. Every function here that is not inlined has its search_path: pg_temp stands last in it, because where it is not
-- named it comes first for types, and a caller's pg_temp.text would run his code with the owner's rights.
create or replace function wallet_sync.meets_policy(
  provision text, email_confirmed_at timestamptz, phone_confirmed_at timestamptz, is_anonymous boolean, deleted_at timestamptz
) returns boolean
language sql immutable parallel safe as $$
  select deleted_at is null and case provision
    when 'confirmed' then email_confirmed_at is not null or phone_confirmed_at is not null
    when 'non-anonymous' then not is_anonymous
    else true
  end
$$;

-- What the instances have agreed on, as far as a sign-up needs it. gives: the sign-up itself takes an account.
create or replace function wallet_sync.read_policy(out provision text, out gives boolean, out low_water integer)
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5ms' as $$
begin
  select c.provision, c.assign = 'trigger' and not c.paused, c.low_water into provision, gives, low_water from wallet_sync.control c;
end
$$;

-- Gives a user who waits an account of the pool, where sign-ups do so themselves. Rings where that is the daemon's, where nothing
-- was given, and where fewer than low_water are left. Stricter isolations leave it to the daemon: there, rows that others have
-- changed are an error, at the latest at commit, where nothing can catch it.
-- A connection keeps its plans: made while the tables are small, they must not read them whole when they are large.
create or replace function wallet_sync.greet(user_id uuid, gives boolean, low_water integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '10ms' set enable_seqscan = off set jit = off as $$
begin
  if gives and current_setting('transaction_isolation') = 'read committed' then
    begin
      perform from wallet_sync.assign(1, 'trigger', '{}', user_id);
      if found and (low_water < 1 or exists (select from wallet_sync.account a where a.state = 'free' offset low_water - 1)) then
        return;
      end if;
    exception when others then
      null; -- The user waits, as with an empty pool.
    end;
  end if;
  begin
    perform wallet_sync.ring(user_id);
  exception when others then
    null; -- The backlog poll finds waiting users. What was given stays given.
  end;
end
$$;

-- A user's wallet row.
create or replace function wallet_sync.make_row(user_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '35ms' as $$
begin
  insert into public.wallet (auth_id) values (user_id);
end
$$;

-- A subtransaction costs more than what is done in it, so all is tried in one, and where that fails, step by step: what can be done is
-- done. A row that refuses itself with no account in it is not tried again: an application's trigger may be slow, or do what is not undone.
-- The first attempt ends with the first lock that is not granted within 5 ms; then the steps wait at most 5 ms (policy), 35 (row),
-- 10 (account) and 10 (bell): 65 ms, and on_user_change 10 (row), 5, 10 and 10. Where the first has made no row, or for another user of the transaction, both are waited for: 100 ms together.
-- Here stands once more, so that no call is needed, what read_policy, ring and greet do: a change of them is one here.
-- wallet_sync.greeted, until the transaction's end: who has his row from the sign-up that came last, and was served in it. Set with :=, for a perform is a statement.
create or replace function wallet_sync.on_sign_up() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5ms' set enable_seqscan = off set jit = off as $$
#variable_conflict use_variable
declare
  provision text;
  gives boolean := false;
  low_water integer;
  reads_committed boolean;
  given_address text;
  given_private_key text;
  given_public_key text;
  is_making_row boolean := false;
  is_as_given boolean;
  greeted text := set_config('wallet_sync.greeted', '', true);
begin
  begin
    select c.provision, c.assign = 'trigger' and not c.paused, c.low_water into provision, gives, low_water from wallet_sync.control c;
    if wallet_sync.meets_policy(provision, new.email_confirmed_at, new.phone_confirmed_at, new.is_anonymous, new.deleted_at) then
      reads_committed := current_setting('transaction_isolation') = 'read committed';
      -- An application's trigger may have changed the user since, or made the row.
      if gives and reads_committed and wallet_sync.is_provisioned(new.id)
        and not exists (select from public.wallet w where w.auth_id = new.id) and not exists (select from wallet_sync.user_state u where u.auth_id = new.id) then
        select t.address, t.private_key, t.public_key into given_address, given_private_key, given_public_key from wallet_sync.take_account(new.id, 'trigger', now()) t;
      end if;
      is_making_row := true;
      if given_address is null then
        insert into public.wallet (auth_id) values (new.id);
      else
        insert into public.wallet as w (auth_id, flow_address, flow_private_key, flow_public_key) values (new.id, given_address, given_private_key, given_public_key)
        returning (w.auth_id, w.flow_address, w.flow_private_key, w.flow_public_key) is not distinct from (new.id, given_address, given_private_key, given_public_key) into is_as_given;
      end if;
      -- Not where an application's trigger has dropped it.
      if found then
        greeted := set_config('wallet_sync.greeted', new.id::text, true);
      end if;
      is_making_row := false;
      if given_address is not null then
        perform wallet_sync.require_as_given(is_as_given);
        if low_water < 1 or exists (select from wallet_sync.account a where a.state = 'free' offset low_water - 1) then
          return new;
        end if;
      end if;
      -- Mostly somebody is awake. The lock is a statement of its own: what is looked at after it is seen as it is then.
      if reads_committed and pg_try_advisory_xact_lock_shared(wallet_sync.bell_lock()) then
        if exists (select from wallet_sync.instance i where i.awake_until > clock_timestamp()) then
          return new;
        end if;
      end if;
      perform wallet_sync.ring(new.id);
    end if;
    return new; -- on_user_change makes the row of who meets the policy later.
  exception
    when lock_not_available or unique_violation then
      null;
    when others then
      if is_making_row and given_address is null then
        return new; -- The next sweep finds users without a row.
      end if;
  end;
  gives := false;
  begin
    select p.* into provision, gives, low_water from wallet_sync.read_policy() p;
    if not wallet_sync.meets_policy(provision, new.email_confirmed_at, new.phone_confirmed_at, new.is_anonymous, new.deleted_at) then
      return new;
    end if;
  exception when others then
    null; -- Whoever gives looks at the policy again.
  end;
  begin
    perform wallet_sync.make_row(new.id);
  exception
    when unique_violation then
      null; -- The application has made it.
    when others then
      return new; -- The next sweep finds users without a row.
  end;
  begin
    if provision is not null and exists (select from public.wallet w where w.auth_id = new.id) then
      greeted := set_config('wallet_sync.greeted', new.id::text, true);
    end if;
    perform wallet_sync.greet(new.id, gives, low_water);
  exception when others then
    null;
  end;
  return new;
end
$$;

-- A user who meets the policy now, as by a confirmation, gets the row that he lacks and is served as in a sign-up, and so is one who
-- waits still. Who was served by the sign-up that came last in this same transaction (wallet_sync.greeted) is not looked at: one that is confirmed at once rings once.
-- Of several users in one transaction the others are served again, which costs time and nothing else.
create or replace function wallet_sync.on_user_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '10ms' set enable_seqscan = off set jit = off as $$
declare
  has_row boolean := false;
  has_address boolean;
  provision text;
  gives boolean := false;
  low_water integer;
  is_met boolean := false;
begin
  if current_setting('wallet_sync.greeted', true) = new.id::text then
    return new;
  end if;
  begin
    select w.flow_address is not null into has_address from public.wallet w where w.auth_id = new.id;
    has_row := found;
    if has_address then
      return new;
    end if;
  exception when others then
    return new; -- The next sweep finds users without a row, and the backlog poll who waits.
  end;
  begin
    select p.* into provision, gives, low_water from wallet_sync.read_policy() p;
    is_met := wallet_sync.meets_policy(provision, new.email_confirmed_at, new.phone_confirmed_at, new.is_anonymous, new.deleted_at);
    if not is_met then
      return new;
    end if;
  exception when others then
    null; -- Nobody gets a row on a guess; who has one and waits rings.
  end;
  if not has_row then
    if not is_met then
      return new;
    end if;
    begin
      insert into public.wallet (auth_id) values (new.id);
    exception
      when unique_violation then
        null; -- Made by somebody else since.
      when others then
        return new; -- The next sweep finds users without a row.
    end;
  end if;
  begin
    perform wallet_sync.greet(new.id, gives, low_water);
  exception when others then
    null;
  end;
  return new;
end
$$;

-- Last of the triggers by name: one that an application has for the same row goes first. Those that are there already are
-- not made again: that would stop all sign-ups for as long as the oldest one takes. The column that was added last tells one of
-- before.
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'auth.users'::regclass and tgname = 'zz_wallet_sync_sign_up' and tgenabled <> 'D') then
    create or replace trigger zz_wallet_sync_sign_up after insert on auth.users
      for each row execute function wallet_sync.on_sign_up();
  end if;
  if not exists (
    select from pg_trigger t where tgrelid = 'auth.users'::regclass and tgname = 'zz_wallet_sync_user_change' and tgenabled <> 'D'
      and pg_get_triggerdef(t.oid) ~ 'phone_confirmed_at'
  ) then
    create or replace trigger zz_wallet_sync_user_change
      after update of email_confirmed_at, phone_confirmed_at, is_anonymous, banned_until, deleted_at on auth.users
      for each row when (
        old.email_confirmed_at is distinct from new.email_confirmed_at or old.phone_confirmed_at is distinct from new.phone_confirmed_at
        or old.is_anonymous is distinct from new.is_anonymous
        or old.banned_until is distinct from new.banned_until or old.deleted_at is distinct from new.deleted_at
      )
      execute function wallet_sync.on_user_change();
  end if;
end
$$;

revoke all on function wallet_sync.ring(uuid), wallet_sync.greet(uuid, boolean, integer), wallet_sync.read_policy(), wallet_sync.make_row(uuid),
  wallet_sync.meets_policy(text, timestamptz, timestamptz, boolean, timestamptz), wallet_sync.on_sign_up(), wallet_sync.on_user_change(),
  wallet_sync.bell_lock() from public;
grant execute on function wallet_sync.bell_lock(), wallet_sync.meets_policy(text, timestamptz, timestamptz, boolean, timestamptz) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('004_bell.sql') on conflict do nothing;
