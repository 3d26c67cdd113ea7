import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** A bigint of Postgres as it is: an emulator's funders have more than a number holds. */
const amount = z.string().transform(BigInt);

const entryRow = z.object({
  at: z.string(),
  funder: z.string(),
  tx_id: z.string(),
  purpose: z.enum(['create', 'fund', 'repair', 'add-keys']),
  part: z.enum(['deposit', 'account', 'fee']),
  wallet: z.string().nullable(),
  auth_id: z.string().nullable(),
  account_id: z.number().nullable(),
  amount: amount.nullable(),
  fee: amount.nullable(),
});

/**
 * One entry of the ledger: FLOW that left a funder. `purpose` is what its transaction does. `part`: a deposit, what an account itself
 * costs, or the transaction's fee. In 10^-8 FLOW; null: not known yet.
 */
export type LedgerEntry = z.output<typeof entryRow>;

export interface LedgerFilter {
  /** Transactions that ended then or later. */
  readonly since?: Date;
  /** Of one user's account alone. */
  readonly authId?: string;
  /** What this account paid. */
  readonly funder?: string;
}

/** Transactions read at once: with 151 entries each at most. */
const PAGE = 200;

const pageRow = z.object({ id: z.string(), settled_at: z.string() });

const ENTRIES = `select to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, e.funder, e.tx_id, e.purpose, e.part, a.address as wallet, a.auth_id, e.account_id,
    e.amount::text as amount, e.fee::text as fee
  from wallet_sync.ledger e left join wallet_sync.account a on a.id = e.account_id`;

/** The entries that fit, in the order of their transactions' ends, page by page. */
export async function* readLedger(db: Db, filter: LedgerFilter = {}, pageSize = PAGE): AsyncGenerator<LedgerEntry[]> {
  const isAnyones = filter.authId === undefined;
  let after = { id: '', settled_at: filter.since?.toISOString() ?? '-infinity' };
  for (;;) {
    const page = await queryRows(
      db,
      pageRow,
      // Text for the cursor: a Date has milliseconds, Postgres microseconds.
      `select t.id, to_char(t.settled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as settled_at from wallet_sync.transaction t
       where (t.state in ('sealed', 'failed') or t.fee is not null) and (t.settled_at, t.id) > ($1::timestamptz, $2)
         and ($4::text is null or coalesce(t.payer_address, t.proposer_address) = $4)
         ${isAnyones ? '' : 'and exists (select from wallet_sync.member m join wallet_sync.account a on a.id = m.account_id where m.transaction_id = t.id and a.auth_id = $5::uuid)'}
       order by t.settled_at, t.id limit $3`,
      [after.settled_at, after.id, pageSize, filter.funder ?? null, ...(isAnyones ? [] : [filter.authId])],
    );
    const entries = await queryRows(
      db,
      entryRow,
      `${ENTRIES} where e.tx_id = any($1) ${isAnyones ? '' : 'and a.auth_id = $2::uuid'} order by e.at, e.tx_id, e.part, e.account_id`,
      [page.map((row) => row.id), ...(isAnyones ? [] : [filter.authId])],
    );
    if (entries.length > 0) yield entries;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last;
  }
}

const heldRow = z.object({
  id: z.string(),
  kind: z.string(),
  state: z.enum(['live', 'sealed', 'failed', 'given_up']),
  payer: z.string(),
  sealed_height: z.number().nullable(),
  amounts: z.array(amount.nullable()),
});

/** A transaction as the ledger has it: what each of its entries took from the payer, in 10^-8 FLOW; null where one is not known yet. */
export type HeldTransaction = z.output<typeof heldRow>;

/** Those that the journal says were sealed in these blocks, and those of these ids, each once. */
export async function readHeld(db: Db, range: { readonly from: number; readonly to: number }, ids: readonly string[]): Promise<HeldTransaction[]> {
  const found = await queryRows(db, heldRow.omit({ amounts: true }), `${HELD} where t.sealed_height between $1 and $2 union ${HELD} where t.id = any($3)`, [range.from, range.to, ids]);
  const entries = await queryRows(
    db,
    z.object({ tx_id: z.string(), amounts: z.array(amount.nullable()) }),
    'select e.tx_id, array_agg((e.amount + e.fee)::text) as amounts from wallet_sync.ledger e where e.tx_id = any($1) group by 1',
    [found.map((row) => row.id)],
  );
  const amounts = new Map(entries.map((row) => [row.tx_id, row.amounts]));
  return found.map((row) => ({ ...row, amounts: amounts.get(row.id) ?? [] }));
}

const HELD = 'select t.id, t.kind, t.state::text, coalesce(t.payer_address, t.proposer_address) as payer, t.sealed_height from wallet_sync.transaction t';

/** A block below the first transaction that was recorded at `since` or later; null where there is none of any time. */
export async function heightBefore(db: Db, since: Date | null): Promise<number | null> {
  const { height } = await queryOne(
    db,
    z.object({ height: z.number().nullable() }),
    // One recorded before refers to a block that was sealed by then: where none came later, its block is the nearest that is known.
    `select coalesce(
       (select max(reference_height) from wallet_sync.transaction where created_at < $1::timestamptz),
       (select min(reference_height) from wallet_sync.transaction)) as height`,
    [since?.toISOString() ?? '-infinity'],
  );
  return height;
}

/** Every account that ever paid. */
export async function readPayers(db: Db): Promise<string[]> {
  const rows = await queryRows(db, z.object({ address: z.string() }), 'select distinct coalesce(payer_address, proposer_address) as address from wallet_sync.transaction order by 1');
  return rows.map((row) => row.address);
}

const checkpointRow = z.object({ address: z.string(), height: z.number(), balance: amount });

/** Where the ledger was last found right: a funder's balance in a block, in 10^-8 FLOW. */
export type Checkpoint = z.output<typeof checkpointRow>;

export async function readCheckpoints(db: Db): Promise<Checkpoint[]> {
  return queryRows(db, checkpointRow, 'select address, height, balance::text as balance from wallet_sync.ledger_checkpoint order by address');
}

/** Keeps them; one at a lower block than is kept changes nothing. */
export async function saveCheckpoints(db: Db, checkpoints: readonly Checkpoint[]): Promise<void> {
  await db.query(
    `insert into wallet_sync.ledger_checkpoint (address, height, balance) select * from unnest($1::text[], $2::bigint[], $3::numeric[])
     on conflict (address) do update set height = excluded.height, balance = excluded.balance, at = clock_timestamp() where ledger_checkpoint.height < excluded.height`,
    [checkpoints.map((each) => each.address), checkpoints.map((each) => each.height), checkpoints.map((each) => each.balance.toString())],
  );
}
