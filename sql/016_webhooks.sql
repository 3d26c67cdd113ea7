-- Telling the application that wallets are ready: who has been told, and what is still to be delivered.
set local lock_timeout = '5s';

-- One who tells, and how far he has come: what transactions before the horizon have given, he has told.
create table if not exists wallet_sync.ready_follower (
  name text primary key check (name in ('notify', 'webhook')),
  horizon xid8 not null
);
-- What he has told of transactions from the horizon on; a transaction that is older than these may still be open.
create table if not exists wallet_sync.ready_told (
  follower text not null,
  account_id bigint not null,
  xid xid8 not null,
  primary key (follower, account_id)
);

-- Messages to the webhook, in the transaction that tells them. id: the same at each attempt, so that a receiver knows a repeated one.
-- next_at: when it is due; while an instance delivers it, when it is another's. attempts: also the epoch of the one who delivers.
create table if not exists wallet_sync.webhook (
  id text primary key,
  auth_id uuid not null,
  address text not null,
  ready_at timestamptz not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  error text,
  constraint settled_has_time check ((state = 'pending') = (settled_at is null))
);
create index if not exists webhook_due on wallet_sync.webhook (next_at) where state = 'pending';
create index if not exists webhook_settled on wallet_sync.webhook (settled_at) where state <> 'pending';

-- The wallets given since this one was last asked, each once over all instances: whoever gave them, the sign-ups themselves too. To be
-- asked in the transaction that tells them on. Nobody waits: where another instance asks, there is nothing. A wallet that was given
-- more than a day ago is told no more. Where the database was restored, its transaction numbers begin again below the horizon.
create or replace function wallet_sync.follow_ready(who text, max_wallets integer)
returns table (auth_id uuid, address text, ready_at timestamptz)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  stored xid8;
  began xid8;
  ended xid8;
  given record;
  told integer := 0;
  last xid8;
begin
  select f.horizon into stored from wallet_sync.ready_follower f where f.name = who for update skip locked;
  if not found then
    insert into wallet_sync.ready_follower (name, horizon) values (who, pg_snapshot_xmin(pg_current_snapshot())) on conflict do nothing;
    return;
  end if;
  -- Under the lock: a snapshot from before it could be older than the horizon that another instance has just kept.
  ended := pg_snapshot_xmin(pg_current_snapshot());
  began := least(stored, ended);
  for given in
    select a.id, a.auth_id, a.address, a.assigned_at, a.assigned_xid from wallet_sync.account a
    where a.assigned_xid >= began and a.assigned_xid < pg_snapshot_xmax(pg_current_snapshot())
      and not exists (select from wallet_sync.ready_told t where t.follower = who and t.account_id = a.id)
    order by a.assigned_xid, a.id limit max_wallets
  loop
    told := told + 1;
    last := given.assigned_xid;
    insert into wallet_sync.ready_told (follower, account_id, xid) values (who, given.id, given.assigned_xid);
    if given.assigned_at > clock_timestamp() - interval '1 day' then
      auth_id := given.auth_id;
      address := given.address;
      ready_at := given.assigned_at;
      return next;
    end if;
  end loop;
  if told = max_wallets then
    ended := least(ended, last);
  end if;
  if ended <> stored or told > 0 then
    update wallet_sync.ready_follower f set horizon = ended where f.name = who;
    delete from wallet_sync.ready_told t where t.follower = who and t.xid < ended;
  end if;
end
$$;

revoke all on wallet_sync.ready_follower, wallet_sync.ready_told, wallet_sync.webhook from public, anon, authenticated;
grant select, insert, update on wallet_sync.ready_follower to wallet_sync_service;
grant select, insert, delete on wallet_sync.ready_told to wallet_sync_service;
grant select, insert, update, delete on wallet_sync.webhook to wallet_sync_service;
revoke all on function wallet_sync.follow_ready(text, integer) from public;
grant execute on function wallet_sync.follow_ready(text, integer) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('016_webhooks.sql') on conflict do nothing;
