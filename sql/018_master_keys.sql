-- Which master key seals, and which ones still open: what a rotation moves from and to. See docs/custody.md.
set local lock_timeout = '5s';

-- master_keys: the ids of those that the instance holds. Null: of a version that doesn't tell.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.instance'::regclass and attname = 'master_keys' and not attisdropped) then
    alter table wallet_sync.instance add column master_keys text[];
  end if;
end
$$;

create unique index if not exists master_key_one_current on wallet_sync.master_key (state) where state = 'current';
create unique index if not exists master_key_one_next on wallet_sync.master_key (state) where state = 'next';

-- What keys are under where they were stored before this table: the newest account's master key is the current one. Without accounts
-- (the schema was dropped and made again) what users' rows show. A text that is no ciphertext of ours names no master key.
do $$
begin
  if exists (select from wallet_sync.master_key) then
    return;
  end if;
  insert into wallet_sync.master_key (id, state)
  select s.id, case when row_number() over (order by s.newest desc) = 1 then 'current' else 'retiring' end
  from (
    select substr(a.private_key, 4, 8) as id, max(a.id) as newest from wallet_sync.account a
    where a.private_key ~ '^v1:[0-9a-f]{8}:[A-Za-z0-9+/]{80}:[A-Za-z0-9+/]{80}$' group by 1
  ) s;
  if found then
    return;
  end if;
  insert into wallet_sync.master_key (id, state)
  select s.id, case when row_number() over (order by s.wallets desc) = 1 then 'current' else 'retiring' end
  from (
    select substr(w.flow_private_key, 4, 8) as id, count(*) as wallets from public.wallet w
    where w.flow_private_key ~ '^v1:[0-9a-f]{8}:[A-Za-z0-9+/]{80}:[A-Za-z0-9+/]{80}$' group by 1
  ) s;
end
$$;

-- A master key's states follow one another; a retired one never comes back, or keys under it could be stored unseen.
create or replace function wallet_sync.guard_master_key() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.id <> old.id or (new.state <> old.state and not (old.state || '>' || new.state = any (array['next>current', 'current>retiring', 'retiring>retired']))) then
    raise exception 'master key % cannot go from % to %', old.id, old.state, new.state;
  end if;
  return new;
end
$$;
create or replace trigger guard_master_key before update on wallet_sync.master_key
  for each row execute function wallet_sync.guard_master_key();

-- No key is stored under a retired master key. The shared lock makes who retires one wait for those who store under it, so that his scan
-- sees what they have stored. public.wallet needs no such trigger, which each sign-up would pay for: what stands there is copied from an
-- account whose row is locked meanwhile.
create or replace function wallet_sync.guard_sealed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  key_state text;
begin
  select k.state into key_state from wallet_sync.master_key k where k.id = substr(new.private_key, 4, 8) for share;
  if key_state = 'retired' then
    raise exception 'master key % is retired: no key is stored under it', substr(new.private_key, 4, 8)
      using errcode = 'WS018', hint = 'Restart the instance with the current master key as WALLET_ENCRYPTION_KEY.';
  end if;
  return new;
end
$$;
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.account'::regclass and tgname = 'guard_sealed' and tgenabled <> 'D') then
    create or replace trigger guard_sealed before insert or update of private_key on wallet_sync.account
      for each row when (new.private_key like 'v1:________:%') execute function wallet_sync.guard_sealed();
  end if;
end
$$;

-- The master key to seal with, until the caller's transaction ends: a rotation that makes another one current waits for it. Where none is
-- current yet, it is the one that the caller holds; null where he names none.
create or replace function wallet_sync.sealing_key(held text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  current text;
begin
  -- A row that has changed while it was waited for is not found: the next look finds the one that came into its place.
  for look in 1..10 loop
    select k.id into current from wallet_sync.master_key k where k.state = 'current' for share;
    if found then
      return current;
    end if;
    if held is null then
      return null;
    end if;
    insert into wallet_sync.master_key (id, state) values (held, 'current') on conflict do nothing;
    if found then
      insert into wallet_sync.audit (kind, detail) values ('master-key-registered', wallet_sync.audit_actor() || jsonb_build_object('master_key', held));
    end if;
  end loop;
  raise exception 'no master key is current, and % cannot become it', held;
end
$$;

revoke all on wallet_sync.master_key from public, anon, authenticated, wallet_sync_service;
grant select, insert (id, state), update (state, since) on wallet_sync.master_key to wallet_sync_service;
revoke all on function wallet_sync.guard_master_key(), wallet_sync.guard_sealed(), wallet_sync.sealing_key(text) from public;
grant execute on function wallet_sync.sealing_key(text) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('018_master_keys.sql') on conflict do nothing;
