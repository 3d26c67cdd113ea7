-- The ledger: every FLOW that leaves a funder. A view of what the journal knows of transactions and members, and what that lacked.
set local lock_timeout = '5s';

-- transaction.fee, of a settled one: null is not known yet (its end was told by events alone, without its result), 0 is none taken. Of one
-- that was given up: it has sealed as failed after all, and kept its fee.
-- account_cost: what left the payer for making a creation's accounts, beside the members' amounts and the fee, all of them together in
-- 10^-8 FLOW (0.001 an account on the emulator). The chain's events tell it; null: not known yet. The column is sql/020's.
-- passed_over: a funding's member whose account takes no FLOW: its amount stayed with the payer.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.member'::regclass and attname = 'passed_over') then
    alter table wallet_sync.member add column passed_over boolean not null default false;
  end if;
end
$$;

-- Read in the order of their ends, and by their blocks. The last is empty but for moments: what nobody has reckoned yet.
create index if not exists transaction_in_ledger on wallet_sync.transaction (settled_at, id) where state in ('sealed', 'failed') or fee is not null;
create index if not exists transaction_height on wallet_sync.transaction (sealed_height) where sealed_height is not null;
create index if not exists transaction_unreckoned on wallet_sync.transaction (settled_at)
  where state in ('sealed', 'failed') and (fee is null or (state = 'sealed' and kind = 'create' and account_cost is null));

-- What a transaction's bytes say that it sends, where they are of ours: by public key of a creation, by address of a funding. In rows from
-- before sql/017 nothing else tells it.
create or replace function wallet_sync.amounts_in(kind text, body text) returns table (receiver text, amount bigint)
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  receivers jsonb;
  amounts jsonb;
begin
  if kind not in ('create', 'fund') then
    return;
  end if;
  receivers := convert_from(decode(body::jsonb -> 'arguments' ->> 0, 'base64'), 'UTF8')::jsonb -> 'value';
  amounts := convert_from(decode(body::jsonb -> 'arguments' ->> 1, 'base64'), 'UTF8')::jsonb -> 'value';
  return query
    select lower(r.each ->> 'value'), (case when kind = 'create' then (amounts #>> '{}')::numeric else (amounts -> (r.place::integer - 1) ->> 'value')::numeric end * 100000000)::bigint
    from jsonb_array_elements(receivers) with ordinality as r (each, place);
exception when others then
  return;
end
$$;

update wallet_sync.member m set amount = coalesce((
  select s.amount from wallet_sync.transaction t join wallet_sync.account a on a.id = m.account_id,
    lateral wallet_sync.amounts_in(t.kind, t.body) s
  where t.id = m.transaction_id and s.receiver in (a.public_key, a.address)), 0)
where m.amount is null and exists (
  select from wallet_sync.transaction t where t.id = m.transaction_id and (t.kind in ('repair', 'add-keys') or exists (select from wallet_sync.amounts_in(t.kind, t.body))));

-- One entry for each deposit, each account's cost and each fee. Amounts in 10^-8 FLOW, null where they are not known yet; their sum over a
-- transaction is what it took from its payer.
create or replace view wallet_sync.ledger with (security_invoker = true) as
  select t.settled_at as at, coalesce(t.payer_address, t.proposer_address) as funder, t.id as tx_id, t.kind as purpose, 'deposit' as part,
    m.account_id, m.amount, 0::bigint as fee
  from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id
  where t.state = 'sealed' and t.kind in ('create', 'fund') and m.amount is distinct from 0 and not m.passed_over
  union all
  -- What does not divide is the first member's.
  select t.settled_at, coalesce(t.payer_address, t.proposer_address), t.id, t.kind, 'account',
    m.account_id, t.account_cost / (select count(*) from wallet_sync.member n where n.transaction_id = t.id)
      + case when m.account_id = (select min(n.account_id) from wallet_sync.member n where n.transaction_id = t.id)
          then t.account_cost % (select count(*) from wallet_sync.member n where n.transaction_id = t.id) else 0 end, 0::bigint
  from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id
  where t.state = 'sealed' and t.kind = 'create' and t.account_cost is distinct from 0
  union all
  -- A repair is one wallet's; any other fee is for all members together.
  select t.settled_at, coalesce(t.payer_address, t.proposer_address), t.id, t.kind, 'fee',
    case when t.kind = 'repair' then (select m.account_id from wallet_sync.member m where m.transaction_id = t.id) end, 0::bigint, t.fee
  from wallet_sync.transaction t
  where (t.state in ('sealed', 'failed') or t.fee is not null) and t.fee is distinct from 0;

-- Where the ledger was last found right: the balance that the next comparison begins with.
create table if not exists wallet_sync.ledger_checkpoint (
  address text primary key check (address ~ '^0x[0-9a-f]{16}$'),
  height bigint not null,
  balance numeric(20) not null,
  at timestamptz not null default clock_timestamp()
);

revoke all on wallet_sync.ledger, wallet_sync.ledger_checkpoint from public, anon, authenticated;
grant select on wallet_sync.ledger to wallet_sync_service;
grant select, insert, update on wallet_sync.ledger_checkpoint to wallet_sync_service;
revoke all on function wallet_sync.amounts_in(text, text) from public;

insert into wallet_sync.migration (name) values ('021_ledger.sql') on conflict do nothing;
