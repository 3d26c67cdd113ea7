-- The access node's limits, shared by all instances (RATE_LIMIT_SCOPE=shared): it counts calls per client IP.
--
-- A place is one call that the access node may see at a time. It is free again hold_ms (1.02 s) after the call's end, as in the
-- limiter of one process, so no window of one second, as the access node sees it, holds more calls than there are places. Proof: of
-- more calls than places in one such window, look at the one granted last. Each other one arrived in the window, so it ended less
-- than a second before that grant, or not yet, and its place was not free: the last one was not granted.
--
-- Rejected: one row a kind with a bucket's level (GCRA). It knows when a call starts, not when the access node counts it, which is any
-- time until the call's end, up to 10 s later; a window can hold twice the rate. Also rejected: SKIP LOCKED over places without the
-- kind's lock. Places could not be counted then, and where instances have different rates it is the count that matters.
--
-- Cost of one exchange, measured on 2 cores over the loopback: 0.3 ms with 100 places, 3 ms with 10,000, so nothing is capped. One exchange
-- takes places for all calls of a kind that wait in an instance, and tells of those that have ended.
set local lock_timeout = '5s';

-- Not logged: an exchange writes 48 bytes of WAL instead of 305 (2.6 GB a day at 100 a second), waits for no disc, and sends nothing
-- through logical replication. Empty after a crash.
-- ends_at: when its call ended, or, while it runs, when it will have ended at the latest: a killed instance's place is free by itself.
-- The epoch moves with every call; who tells of an older call's end changes no row.
create unlogged table if not exists wallet_sync.rate_place (
  kind text not null,
  place integer not null,
  epoch integer not null default 0,
  ends_at timestamptz not null default '-infinity',
  primary key (kind, place)
) with (fillfactor = 50);

-- Instances with calls that wait, oldest first served. One that has not looked again by looks_by is gone.
create unlogged table if not exists wallet_sync.rate_waiting (
  kind text not null,
  instance uuid not null,
  calls integer not null,
  since timestamptz not null,
  looks_by timestamptz not null,
  primary key (kind, instance)
) with (fillfactor = 50);

-- rate: the lowest of the instances that have called in the last minute; each says its own with every exchange. places: how many have been
-- made; where their rows are gone, a crash has emptied rate_place, and calls of before it may still be running.
create table if not exists wallet_sync.rate_limit (
  kind text primary key check (kind in ('script', 'transaction', 'event', 'read')),
  rate double precision not null default 'infinity',
  rate_until timestamptz not null default '-infinity',
  paused_until timestamptz not null default '-infinity',
  places integer not null default 0
);

-- Tells of ended calls and takes places for up to `wanted` new ones. wait_ms: not before then does another exchange make sense; null: not known.
-- All times are the database's. ended_ago_ms is counted by the instance until it asked, so that the end is never told too early.
create or replace function wallet_sync.exchange_rate_places(
  of_kind text, own_rate double precision, hold_ms double precision, lease_ms double precision, instance_id uuid, wanted integer, looks_again_ms double precision,
  ended_places integer[], ended_epochs integer[], ended_ago_ms double precision[],
  out places integer[], out epochs integer[], out wait_ms double precision
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- How long others' turns are waited for, and how long a rate is remembered that nobody repeats.
  turn constant double precision := 20;
  remembered constant interval := '60 seconds';
  moment timestamptz;
  limits wallet_sync.rate_limit;
  hold interval;
  allowed integer;
  used integer;
  first_end timestamptz;
  waits_since timestamptz;
  ahead integer;
  others integer;
  granted integer := 0;
begin
  -- A stricter isolation sees what was there before the lock.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'rate limits need isolation read committed' using errcode = 'invalid_transaction_state';
  end if;
  perform pg_advisory_xact_lock(7420031551010 + array_position(array['script', 'transaction', 'event', 'read'], of_kind));
  moment := clock_timestamp();

  update wallet_sync.rate_place p set ends_at = least(p.ends_at, moment - make_interval(secs => e.ago_ms / 1000))
    from unnest(ended_places, ended_epochs, ended_ago_ms) as e (place, epoch, ago_ms)
    where p.kind = of_kind and p.place = e.place and p.epoch = e.epoch;
  if wanted = 0 then
    return;
  end if;

  select * into limits from wallet_sync.rate_limit l where l.kind = of_kind;
  if not found then
    insert into wallet_sync.rate_limit (kind) values (of_kind) on conflict do nothing;
    select * into limits from wallet_sync.rate_limit l where l.kind = of_kind;
  end if;
  if own_rate < limits.rate or limits.rate_until < moment or (own_rate = limits.rate and limits.rate_until < moment + remembered / 2) then
    update wallet_sync.rate_limit l set rate = own_rate, rate_until = moment + remembered where l.kind = of_kind returning * into limits;
  end if;
  -- Below one call a second the one place is held longer instead.
  hold := make_interval(secs => hold_ms / 1000 * greatest(1, 1 / limits.rate));
  allowed := greatest(1, floor(limits.rate));

  if (select count(*) from wallet_sync.rate_place p where p.kind = of_kind) < allowed then
    insert into wallet_sync.rate_place (kind, place, ends_at)
      select of_kind, n, case when n <= limits.places then moment + make_interval(secs => lease_ms / 1000) else '-infinity' end
      from generate_series(1, greatest(allowed, limits.places)) n on conflict do nothing;
    update wallet_sync.rate_limit l set places = allowed where l.kind = of_kind and l.places < allowed;
  end if;
  select count(*), min(p.ends_at) into used, first_end from wallet_sync.rate_place p where p.kind = of_kind and p.ends_at + hold > moment;

  delete from wallet_sync.rate_waiting w where w.kind = of_kind and w.looks_by < moment;
  waits_since := coalesce((select w.since from wallet_sync.rate_waiting w where w.kind = of_kind and w.instance = instance_id), moment);
  select coalesce(sum(w.calls) filter (where w.since <= waits_since), 0), count(*) into ahead, others
    from wallet_sync.rate_waiting w where w.kind = of_kind and w.instance <> instance_id;

  if limits.paused_until > moment then
    wait_ms := extract(epoch from limits.paused_until - moment) * 1000;
  else
    -- No more than a share at a time: else one that asks for all makes each other wait for two holds instead of one.
    granted := greatest(0, least(wanted, allowed - used - ahead, ceil(allowed::double precision / (1 + others))));
    wait_ms := case when allowed - used > granted then turn else extract(epoch from first_end + hold - moment) * 1000 end;
  end if;

  if granted > 0 then
    with taken as (
      update wallet_sync.rate_place p set epoch = p.epoch + 1, ends_at = moment + make_interval(secs => lease_ms / 1000)
      where p.kind = of_kind and p.place in (
        select f.place from wallet_sync.rate_place f where f.kind = of_kind and f.ends_at + hold <= moment order by f.place limit granted)
      returning p.place, p.epoch
    )
    select array_agg(t.place), array_agg(t.epoch) into places, epochs from taken t;
  end if;

  if granted < wanted then
    insert into wallet_sync.rate_waiting (kind, instance, calls, since, looks_by)
      values (of_kind, instance_id, wanted - granted, case when granted > 0 then moment else waits_since end, moment + make_interval(secs => looks_again_ms / 1000))
      on conflict (kind, instance) do update set calls = excluded.calls, since = excluded.since, looks_by = excluded.looks_by;
  else
    delete from wallet_sync.rate_waiting w where w.kind = of_kind and w.instance = instance_id;
  end if;
end
$$;

-- No call of the kind starts for so long, in any instance. A longer pause that is under way stays.
create or replace function wallet_sync.pause_rate(of_kind text, for_ms double precision) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into wallet_sync.rate_limit as l (kind, paused_until) values (of_kind, clock_timestamp() + make_interval(secs => for_ms / 1000))
  on conflict (kind) do update set paused_until = greatest(l.paused_until, excluded.paused_until);
$$;

revoke all on wallet_sync.rate_place, wallet_sync.rate_waiting, wallet_sync.rate_limit from public, anon, authenticated;
revoke all on function wallet_sync.pause_rate(text, double precision),
  wallet_sync.exchange_rate_places(text, double precision, double precision, double precision, uuid, integer, double precision, integer[], integer[], double precision[])
  from public;
grant select on wallet_sync.rate_place, wallet_sync.rate_waiting, wallet_sync.rate_limit to wallet_sync_service;
grant execute on function wallet_sync.pause_rate(text, double precision),
  wallet_sync.exchange_rate_places(text, double precision, double precision, double precision, uuid, integer, double precision, integer[], integer[], double precision[])
  to wallet_sync_service;

insert into wallet_sync.migration (name) values ('008_rate_limits.sql') on conflict do nothing;
