-- Who may read and write what, said once more over everything that is there: a project's default privileges open each new table, sequence
-- and function of the owner to the API's roles, and what an older deployment granted stays. Takes no lock that a sign-up waits for,
-- unless the policy "own wallet" was changed.
set local lock_timeout = '1s';

-- Schema wallet_sync is the daemon's. service_role (Realtime reads as it) finds the canaries there, and nothing else.
revoke all on schema wallet_sync from public, anon, authenticated;
revoke all on all tables in schema wallet_sync from public, anon, authenticated, service_role;
revoke all on all sequences in schema wallet_sync from public, anon, authenticated, service_role;
revoke all on all functions in schema wallet_sync from public, anon, authenticated, service_role;
revoke all on schema wallet_sync from service_role;
grant usage on schema wallet_sync to service_role;
grant select on wallet_sync.canary to service_role;

-- The numbers of public.wallet: whoever may set the sequence back makes each later sign-up's row fail, and whoever may read it counts the users.
-- An identity column needs no right on its sequence; a column with a default does.
do $$
declare
  numbers regclass;
begin
  for numbers in
    select s.oid::regclass from pg_class s
    where s.relkind = 'S' and exists (
      select from pg_depend d
      where (d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass and d.refobjid = 'public.wallet'::regclass)
        or (d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = s.oid
          and d.objid in (select a.oid from pg_attrdef a where a.adrelid = 'public.wallet'::regclass)))
  loop
    execute format('revoke all on sequence %s from public, anon, authenticated', numbers);
    execute format('grant usage on sequence %s to wallet_sync_service', numbers);
  end loop;
end
$$;

-- The policies of an application are its own and stay: the rights on columns hold whatever a policy says. This one is ours.
do $$
declare
  own_rows constant text := '(auth_id = (((NULLIF(current_setting(''request.jwt.claims''::text, true), ''''::text))::jsonb ->> ''sub''::text))::uuid)';
begin
  if not exists (
    select from pg_policy p
    where p.polrelid = 'public.wallet'::regclass and p.polname = 'own wallet' and p.polpermissive and p.polcmd = 'r'
      and p.polroles = array['authenticated'::regrole::oid] and pg_get_expr(p.polqual, p.polrelid) = own_rows
  ) then
    raise warning 'the policy "own wallet" on public.wallet was another: made anew';
    drop policy if exists "own wallet" on public.wallet;
    create policy "own wallet" on public.wallet for select to authenticated
      using (auth_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid);
  end if;
end
$$;

-- What another role than the owner granted, or what is inherited, the owner cannot take back.
do $$
declare
  readers text;
begin
  select string_agg(r.rolname, ', ' order by r.rolname) into readers from pg_roles r
  where r.rolname in ('anon', 'authenticated') and exists (
    select from pg_roles m where pg_has_role(r.oid, m.oid, 'member') and has_column_privilege(m.oid, 'public.wallet'::regclass, 'flow_private_key', 'select'));
  if readers is not null then
    raise exception 'public.wallet: % may still read flow_private_key', readers
      using hint = 'Look at who granted it (\dp public.wallet) and at the roles it is a member of (\du), revoke it there, then migrate again.';
  end if;
end
$$;

insert into wallet_sync.migration (name) values ('023_rights.sql') on conflict do nothing;
