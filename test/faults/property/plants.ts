import type { Db, Journal } from '../../../src/journal/pool.js';
import type { Database } from '../../support/database.js';
import type { Law } from './invariants.js';
import type { Plant } from './world.js';

/** A fault that the property must find, and the law that it breaks. */
export interface PlantedFault extends Plant {
  readonly invariant: Law;
  readonly what: string;
  /** Looked for in runs where nothing goes wrong. */
  readonly isCalm?: boolean;
  /** Changes the database for the fault; what it returns puts everything back. */
  readonly install?: (database: Database) => Promise<() => Promise<void>>;
}

/** Longer than the broadcast takes to reach the chain, and what is committed by then is looked at. */
const LATE_COMMIT_MS = 40;

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    invariant: 1,
    what: 'the keys of a creation that was given up are used again',
    journal: rewriting("update wallet_sync.account a set state = 'expired'", "set state = 'expired'", "set state = 'prepared'"),
  },
  {
    invariant: 2,
    what: 'a transaction is broadcast before its commit',
    journal: answeringBeforeCommit('insert into wallet_sync.transaction'),
  },
  {
    invariant: 3,
    what: 'a transaction is given up while it can still seal',
    journal: rewriting('insert into wallet_sync.transaction', '$6, $7, $8, $5', '$6, $7, $8 - 90, $5'),
  },
  {
    invariant: 3,
    what: 'a wallet is a member of two unsealed fundings',
    install: withoutIndex('member_one_live_per_account'),
  },
  {
    invariant: 6,
    what: 'an instance that has lost its lease settles all the same',
    journal: rewriting("where id = $1 and state = 'live' and instance = $2 and epoch = $3", 'instance = $2 and epoch = $3', '$2::uuid is not null and $3::bigint is not null'),
  },
  {
    invariant: 6,
    what: 'a slot is leased while it carries an unsealed transaction',
    journal: both(
      rewriting('set leased_by = $1, epoch = s.epoch + 1, used_at', "and t.state = 'live'", "and t.state = 'live' and false"),
      rewriting('set leased_by = $1, epoch = s.epoch + 1, used_at', '(c.leased_by is null or c.lease_until < clock_timestamp())', 'true'),
    ),
    install: withoutIndex('transaction_one_live_per_slot'),
  },
  {
    invariant: 7,
    what: 'a funding rests on a balance from before the last deposit',
    install: rewritingFunction('wallet_sync.guard_member()', 'new.balance_height < last_deposit', 'false'),
  },
  {
    invariant: 'policy',
    what: 'who has confirmed no address is given a wallet all the same',
    install: rewritingFunction('wallet_sync.meets_policy(text, timestamptz, timestamptz, boolean, timestamptz)', 'email_confirmed_at is not null', 'true'),
  },
  {
    invariant: 'demand',
    what: 'instances count the demand without a lock between them',
    isCalm: true,
    journal: rewriting('pg_advisory_xact_lock(7420031551003)', 'pg_advisory_xact_lock(7420031551003)', '1'),
  },
];

/** Changes each statement that has `mark` in it. Throws where the text to change is not there: then the fault would not be planted. */
function rewriting(mark: string, from: string, to: string): (journal: Journal) => Journal {
  const rewrite = (sql: string): string => {
    if (!sql.includes(mark)) return sql;
    if (!sql.includes(from)) throw new TypeError(`a planted fault finds no "${from}" in: ${sql}`);
    return sql.replace(from, to);
  };
  const through = (db: Db): Db => ({ query: (text, values) => db.query(rewrite(text), values) });
  return (journal) => ({ ...through(journal), transaction: (work) => journal.transaction((db) => work(through(db))), load: () => journal.load(), close: () => journal.close() });
}

function both(one: (journal: Journal) => Journal, other: (journal: Journal) => Journal): (journal: Journal) => Journal {
  return (journal) => one(other(journal));
}

/** Gives the answer of each transaction that has such a statement before it is committed. */
function answeringBeforeCommit(mark: string): (journal: Journal) => Journal {
  return (journal) => ({
    ...journal,
    transaction: <T>(work: (db: Db) => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        journal
          .transaction(async (db) => {
            let isMarked = false;
            const result = await work({ query: (text, values) => ((isMarked ||= text.includes(mark)), db.query(text, values)) });
            if (isMarked) {
              resolve(result);
              await new Promise((later) => setTimeout(later, LATE_COMMIT_MS));
            }
            return result;
          })
          .then(resolve, reject);
      }),
  });
}

function withoutIndex(name: string): (database: Database) => Promise<() => Promise<void>> {
  return async (database) => {
    const [index] = await database.asOwner<{ definition: string }>("select indexdef as definition from pg_indexes where schemaname = 'wallet_sync' and indexname = $1", [name]);
    if (index === undefined) throw new Error(`there is no index ${name}`);
    await database.asOwner(`drop index wallet_sync.${name}`);
    return async () => {
      await database.clear();
      await database.asOwner(index.definition);
    };
  };
}

function rewritingFunction(name: string, from: string, to: string): (database: Database) => Promise<() => Promise<void>> {
  return async (database) => {
    const [found] = await database.asOwner<{ definition: string }>('select pg_get_functiondef(to_regprocedure($1)) as definition', [name]);
    if (found?.definition.includes(from) !== true) throw new Error(`a planted fault finds no "${from}" in ${name}`);
    await database.asOwner(found.definition.replace(from, to));
    return async () => void (await database.asOwner(found.definition));
  };
}
