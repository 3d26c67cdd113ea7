-- What each transaction sends to each of its members: what the ledger and the spending limits add up.
set local lock_timeout = '5s';

-- amount: FLOW in 10^-8 that the payer sends this member where the transaction seals. Null in rows from before this file: the bytes of
-- their transaction tell it.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.member'::regclass and attname = 'amount') then
    alter table wallet_sync.member add column amount bigint check (amount >= 0);
  end if;
end
$$;

insert into wallet_sync.migration (name) values ('017_amounts.sql') on conflict do nothing;
