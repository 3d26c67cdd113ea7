import type { Database } from '../../support/database.js';

/** What transactions add to their cycle. */
const SETTLED_COUNTS = "'{synced_wallets,vaults_created,flow_funding_needed,flow_funding_success,flow_funding_errors,flow_spent}'::text[]";

/**
 * Triggers that note each write of an instance that had no right to it: of a slot, transaction, account or sweep that another
 * instance holds, or that it held under an older epoch. They know the writer by its connection's name, which is the instance's id.
 * They are the test's own eyes: what the daemon's statements guard by their where clauses, they look at from outside.
 */
export async function installWriteAudit(database: Database): Promise<void> {
  const { asOwner } = database;
  await asOwner('create table simulated.stale_write (id bigint generated always as identity, writer text, what text)');
  const audit = (table: string, when: string, condition: string, what: string): string => `
    create function simulated.audit_${table}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare writer text := current_setting('application_name');
    begin
      -- The tests' own hands have other names.
      if length(writer) = 36 and (${condition}) then
        insert into simulated.stale_write (writer, what) values (writer, ${what});
      end if;
      return null;
    end $$;
    create trigger zz_audit after ${when} on wallet_sync.${table} for each row execute function simulated.audit_${table}()`;

  const epochOf = '(select s.epoch from wallet_sync.slot s where s.address = new.proposer_address and s.key_index = new.proposer_key_index)';
  const audits = [
    // A lease changes hands only with a new epoch; under the same one only its holder writes.
    audit(
      'slot',
      'update',
      `(old.leased_by, old.lease_until, old.sequence_number, old.epoch) is distinct from (new.leased_by, new.lease_until, new.sequence_number, new.epoch)
        and not (new.epoch = old.epoch and old.leased_by::text = writer and (new.leased_by is null or new.leased_by = old.leased_by))
        and not (new.epoch = old.epoch + 1 and new.leased_by::text = writer and (old.leased_by is null or old.lease_until < simulated.clock_timestamp() or old.leased_by::text = writer))`,
      "format('slot %s/%s: epoch %s of %s became %s of %s', new.address, new.key_index, old.epoch, old.leased_by, new.epoch, new.leased_by)",
    ),
    // A live transaction is settled by the instance that holds it under the slot's epoch.
    audit(
      'transaction',
      'update',
      `old.state = 'live' and new.state <> 'live' and not (old.instance::text = writer and old.epoch = ${epochOf})`,
      "format('transaction %s of %s, epoch %s, became %s', new.id, old.instance, old.epoch, new.state)",
    ),
    // An account is submitted by the one that prepared it, and settled by the one that holds its transaction.
    audit(
      'account',
      'update',
      `(old.state = 'prepared' and new.state = 'submitted' and old.prepared_by::text is distinct from writer)
        or (old.state = 'submitted' and new.state <> 'submitted' and not exists (
          select from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id
          where m.account_id = new.id and m.live and t.state <> 'live' and t.instance::text = writer))`,
      "format('account %s became %s', new.id, new.state)",
    ),
    // A cycle is the sweeper's; who records or settles one of its transactions adds, in the same SQL transaction, to what that
    // transaction counts, and to nothing else. Who learns the fee of a settled one adds it to flow_spent alone.
    audit(
      'cycle',
      'update',
      `not exists (select from wallet_sync.sweeper s where s.leased_by::text = writer and new.instance::text = writer)
        and (to_jsonb(old) - ${SETTLED_COUNTS} is distinct from to_jsonb(new) - ${SETTLED_COUNTS}
          or not exists (select from wallet_sync.transaction t where t.cycle = new.id and (t.instance::text = writer or (t.state <> 'live' and to_jsonb(old) - 'flow_spent' = to_jsonb(new) - 'flow_spent')) and t.xmin = pg_current_xact_id()::xid))`,
      "format('cycle %s of %s', new.id, new.instance)",
    ),
  ];
  for (const statements of audits) await asOwner(statements);
}
