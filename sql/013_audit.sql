-- The audit log: what was done with keys and money, by whom. Nothing in it is ever changed.
set local lock_timeout = '5s';

-- instance: who did it, null where no instance did. detail: what kind needs; never a secret. No foreign keys: it outlives what it names.
create table if not exists wallet_sync.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  instance uuid,
  kind text not null check (kind ~ '^[a-z]+(-[a-z]+)*$'),
  auth_id uuid,
  account_id bigint,
  tx_id text,
  detail jsonb not null default '{}'
);
create index if not exists audit_at on wallet_sync.audit (at, id);
create index if not exists audit_user on wallet_sync.audit (auth_id) where auth_id is not null;
create index if not exists audit_account on wallet_sync.audit (account_id) where account_id is not null;
create index if not exists audit_transaction on wallet_sync.audit (tx_id) where tx_id is not null;
-- Which transactions named a user's account: read for the entries about one user.
do $$
begin
  if to_regclass('wallet_sync.member_account') is null then
    create index member_account on wallet_sync.member (account_id);
  end if;
end
$$;

-- Not even the owner changes an entry. Only forget_audit removes old ones, and says so in an entry of its own.
create or replace function wallet_sync.guard_audit() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' and current_setting('wallet_sync.forgetting', true) = 'on' then
    return null;
  end if;
  raise exception 'the audit log is never changed (%)', lower(tg_op)
    using hint = 'To remove old entries, as the owner: select wallet_sync.forget_audit(''2026-01-01'').';
end
$$;
create or replace trigger guard_audit before update or delete or truncate on wallet_sync.audit
  for each statement execute function wallet_sync.guard_audit();

-- Who is at the other end of this connection; by: as he named himself. A command that came as a NOTIFY is told by who sent it, as long
-- as he is connected.
create or replace function wallet_sync.audit_actor(sender_pid integer default null) returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_strip_nulls(case
    when heard.pid is null then jsonb_build_object(
      'by', nullif(current_setting('wallet_sync.by', true), ''), 'role', session_user,
      'application', nullif(current_setting('application_name'), ''), 'address', host(inet_client_addr()))
    else jsonb_build_object('sender_pid', heard.pid) || coalesce((
      select jsonb_build_object('role', s.usename, 'application', nullif(s.application_name, ''), 'address', host(s.client_addr))
      from pg_stat_activity s where s.pid = heard.pid), '{}')
  end)
  from (select coalesce(sender_pid, nullif(current_setting('wallet_sync.sender_pid', true), '')::integer) as pid) heard
$$;

-- Removes entries from before a time; to be called by the owner alone. Returns how many.
create or replace function wallet_sync.forget_audit(before timestamptz) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten bigint;
begin
  perform set_config('wallet_sync.forgetting', 'on', true);
  delete from wallet_sync.audit a where a.at < forget_audit.before;
  get diagnostics forgotten = row_count;
  perform set_config('wallet_sync.forgetting', '', true);
  insert into wallet_sync.audit (kind, detail)
  values ('audit-forgotten', wallet_sync.audit_actor() || jsonb_build_object('before', forget_audit.before, 'entries', forgotten));
  return forgotten;
end
$$;

-- What the journal commits writes its entry itself, in the same transaction: so none can be missing. A sign-up inserts no account and
-- changes no transaction: it meets none of these.
create or replace function wallet_sync.audit_keys_made() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet_sync.audit (instance, kind, account_id) select m.prepared_by, 'key-made', m.id from made m order by m.id;
  return null;
end
$$;

create or replace function wallet_sync.audit_transactions_signed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet_sync.audit (instance, kind, tx_id, detail)
  select s.instance, 'transaction-signed', s.id, jsonb_strip_nulls(jsonb_build_object(
    'kind', s.kind, 'slot', s.proposer_address || '/' || s.proposer_key_index, 'payer', s.payer_address || '/' || s.payer_key_index, 'cycle', s.cycle))
  from signed s;
  return null;
end
$$;

create or replace function wallet_sync.audit_transactions_settled() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet_sync.audit (instance, kind, tx_id, detail)
  select a.instance, 'transaction-' || replace(a.state::text, '_', '-'), a.id, jsonb_strip_nulls(jsonb_build_object(
    'kind', a.kind, 'height', a.sealed_height, 'fee', a.fee, 'error_kind', a.error_kind, 'error', a.error))
  from after a join before b on b.id = a.id where a.state <> b.state;
  insert into wallet_sync.audit (instance, kind, auth_id, account_id, tx_id, detail)
  select a.instance, 'wallet-repaired', c.auth_id, c.id, a.id, jsonb_build_object('address', c.address, 'made_vault', m.makes_vault)
  from after a join before b on b.id = a.id join wallet_sync.member m on m.transaction_id = a.id join wallet_sync.account c on c.id = m.account_id
  where a.state = 'sealed' and b.state <> 'sealed' and a.kind = 'repair';
  return null;
end
$$;

create or replace function wallet_sync.audit_pause() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet_sync.audit (kind, detail) values (case when new.paused then 'paused' else 'resumed' end, wallet_sync.audit_actor());
  return null;
end
$$;

create or replace function wallet_sync.audit_resync() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet_sync.audit (kind, auth_id, detail) values ('resync-asked', new.auth_id, wallet_sync.audit_actor(new.sender_pid));
  return null;
end
$$;

-- What is there already is not made again: sign-ups write to the accounts, and read the control row.
do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.account'::regclass and tgname = 'audit_keys_made' and tgenabled <> 'D') then
    create or replace trigger audit_keys_made after insert on wallet_sync.account
      referencing new table as made for each statement execute function wallet_sync.audit_keys_made();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.transaction'::regclass and tgname = 'audit_transactions_signed' and tgenabled <> 'D') then
    create or replace trigger audit_transactions_signed after insert on wallet_sync.transaction
      referencing new table as signed for each statement execute function wallet_sync.audit_transactions_signed();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.transaction'::regclass and tgname = 'audit_transactions_settled' and tgenabled <> 'D') then
    create or replace trigger audit_transactions_settled after update on wallet_sync.transaction
      referencing old table as before new table as after for each statement execute function wallet_sync.audit_transactions_settled();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.control'::regclass and tgname = 'audit_pause' and tgenabled <> 'D') then
    create or replace trigger audit_pause after update of paused on wallet_sync.control
      for each row when (old.paused is distinct from new.paused) execute function wallet_sync.audit_pause();
  end if;
  if not exists (select from pg_trigger where tgrelid = 'wallet_sync.resync_request'::regclass and tgname = 'audit_resync' and tgenabled <> 'D') then
    create or replace trigger audit_resync after insert on wallet_sync.resync_request
      for each row execute function wallet_sync.audit_resync();
  end if;
end
$$;

-- Id and time are the table's own: no entry can be dated back.
revoke all on wallet_sync.audit from public, anon, authenticated, wallet_sync_service;
grant select, insert (instance, kind, auth_id, account_id, tx_id, detail) on wallet_sync.audit to wallet_sync_service;
revoke all on function wallet_sync.guard_audit(), wallet_sync.audit_actor(integer), wallet_sync.forget_audit(timestamptz), wallet_sync.audit_keys_made(),
  wallet_sync.audit_transactions_signed(), wallet_sync.audit_transactions_settled(), wallet_sync.audit_pause(), wallet_sync.audit_resync() from public;
grant execute on function wallet_sync.audit_actor(integer) to wallet_sync_service;

insert into wallet_sync.migration (name) values ('013_audit.sql') on conflict do nothing;
