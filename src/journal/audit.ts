import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

/** Every kind of entry. Those of keys made, transactions, repairs and controls are written by the journal's own triggers. */
export const AUDIT_KINDS = [
  'started',
  'key-made',
  'key-opened',
  'keys-compared',
  'key-exported',
  'transaction-signed',
  'transaction-sealed',
  'transaction-failed',
  'transaction-given-up',
  'wallet-given',
  'wallet-funded',
  'wallet-repaired',
  'wallet-adopted',
  'paused',
  'resumed',
  'resync-asked',
  'retried',
  'master-key-registered',
  'rotation-started',
  'keys-rewrapped',
  'rotation-ended',
  'audit-forgotten',
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

/** One entry to write. `detail` never holds a secret. */
export interface AuditEntry {
  readonly kind: AuditKind;
  readonly authId?: string;
  readonly accountId?: number;
  readonly txId?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

const INSERT = 'insert into wallet_sync.audit (instance, kind, auth_id, account_id, tx_id, detail)';
const ENTRIES = 'unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::jsonb[]) with ordinality as e (kind, auth_id, account_id, tx_id, detail, place) order by place';

/** Writes entries, in one statement. In the transaction of what they tell, where that is one. */
export async function writeAudit(db: Db, instanceId: string, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length > 0) await db.query(`${INSERT} select $6::uuid, kind, auth_id, account_id, tx_id, detail from ${ENTRIES}`, [...columnsOf(entries), instanceId]);
}

/** Writes what an operator did, with who he is: see {@link nameActor}. */
export async function writeOperatorActs(db: Db, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length > 0) await db.query(`${INSERT} select null, kind, auth_id, account_id, tx_id, detail || wallet_sync.audit_actor() from ${ENTRIES}`, columnsOf(entries));
}

function columnsOf(entries: readonly AuditEntry[]): unknown[] {
  return [
    entries.map((entry) => entry.kind),
    entries.map((entry) => entry.authId ?? null),
    entries.map((entry) => entry.accountId ?? null),
    entries.map((entry) => entry.txId ?? null),
    entries.map((entry) => JSON.stringify(entry.detail ?? {})),
  ];
}

/** Says until the transaction's end who it is that acts: a person on a host, the dashboard. */
export async function nameActor(db: Db, by: string | undefined): Promise<void> {
  if (by !== undefined) await db.query("select set_config('wallet_sync.by', $1, true)", [by]);
}

export interface AuditFilter {
  /** Only what concerns this user: his account, his keys, the transactions that name his account. */
  readonly authId?: string;
  /** Only from then on. */
  readonly since?: Date;
  readonly kind?: AuditKind;
}

const auditRow = z.object({
  /** In UTC with microseconds: also the place from which reading goes on. */
  at: z.string(),
  place: z.number(),
  id: z.number(),
  instance: z.string().nullable(),
  kind: z.string(),
  auth_id: z.string().nullable(),
  account_id: z.number().nullable(),
  tx_id: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});

/** An entry as it is read. */
export type AuditLine = Omit<z.output<typeof auditRow>, 'place' | 'id'>;

const PAGE = 1_000;

/**
 * The entries that fit, oldest first, `limit` at most, page by page. That a wallet was given is told by its account's own row, which
 * never changes: the sign-up that takes an account writes no entry.
 */
export async function* readAudit(db: Db, filter: AuditFilter, limit = Number.POSITIVE_INFINITY, pageSize = PAGE): AsyncGenerator<AuditLine[]> {
  const accountIds = filter.authId === undefined ? null : (await queryRows(db, z.object({ id: z.number() }), 'select id from wallet_sync.account where auth_id = $1', [filter.authId])).map((row) => row.id);
  let after = { at: filter.since?.toISOString() ?? '-infinity', place: -1, id: -1 };
  let left = limit;
  while (left > 0) {
    const wanted = Math.min(pageSize, left);
    const rows = await queryRows(db, auditRow, pageQuery(filter, accountIds !== null), [after.at, after.place, after.id, wanted, filter.kind ?? null, ...(filter.authId === undefined ? [] : [filter.authId, accountIds])]);
    if (rows.length > 0) yield rows.map(({ at, instance, kind, auth_id, account_id, tx_id, detail }) => ({ at, instance, kind, auth_id, account_id, tx_id, detail }));
    const last = rows.at(-1);
    if (last === undefined || rows.length < wanted) return;
    after = { at: last.at, place: last.place, id: last.id };
    left -= rows.length;
  }
}

/** Both parts are read by an index on their time: a page costs the same wherever it lies. */
function pageQuery(filter: AuditFilter, isOfUser: boolean): string {
  const parts = [
    `select a.at, 0 as place, a.id, a.instance, a.kind, a.auth_id, a.account_id, a.tx_id, a.detail from wallet_sync.audit a
     where a.at >= $1::timestamptz and (a.at, 0, a.id) > ($1::timestamptz, $2::integer, $3::bigint) and ($5::text is null or a.kind = $5)
     ${isOfUser ? 'and (a.auth_id = $6::uuid or a.account_id = any($7::bigint[]) or a.tx_id = any(array(select m.transaction_id from wallet_sync.member m where m.account_id = any($7::bigint[]))))' : ''}
     order by a.at, a.id limit $4`,
  ];
  if (filter.kind === undefined || filter.kind === 'wallet-given') {
    parts.push(`select a.assigned_at, 1, a.id, null::uuid, 'wallet-given', a.auth_id, a.id, null, jsonb_strip_nulls(jsonb_build_object('address', a.address, 'delivered_by', a.delivered_by, 'from_pool', a.pool_hit))
     from wallet_sync.account a
     where a.assigned_at >= $1::timestamptz and (a.assigned_at, 1, a.id) > ($1::timestamptz, $2::integer, $3::bigint) ${isOfUser ? 'and a.auth_id = $6::uuid' : ''}
     order by a.assigned_at, a.id limit $4`);
  }
  return `select to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, e.place, e.id, e.instance, e.kind, e.auth_id, e.account_id, e.tx_id, e.detail
    from (${parts.map((part) => `(${part})`).join(' union all ')}) e order by e.at, e.place, e.id limit $4`;
}
