-- Where an instance answers over HTTP, and what the pages it serves read often.
set local lock_timeout = '5s';

-- http_url: null where it answers nowhere, such as an instance that is a command's.
do $$
begin
  if not exists (select from pg_attribute where attrelid = 'wallet_sync.instance'::regclass and attname = 'http_url' and not attisdropped) then
    alter table wallet_sync.instance add column http_url text check (http_url ~ '^https?://');
  end if;
end
$$;

-- What failed is little among much: found without reading the rest, at each look of a page.
do $$
begin
  if to_regclass('wallet_sync.account_failed') is null then
    create index account_failed on wallet_sync.account (id) where state = 'failed';
  end if;
  if to_regclass('wallet_sync.transaction_failed') is null then
    create index transaction_failed on wallet_sync.transaction (settled_at) where state = 'failed';
  end if;
end
$$;

insert into wallet_sync.migration (name) values ('014_instance_address.sql') on conflict do nothing;
