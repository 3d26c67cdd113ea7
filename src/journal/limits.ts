import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** What all instances on one database may spend together. Amounts in 10^-8 FLOW; null: no such limit. */
export interface Limits {
  readonly shortWindowS: number;
  readonly longWindowS: number;
  readonly flowShort: bigint | null;
  readonly flowLong: bigint | null;
  readonly accountsShort: number | null;
  readonly walletFundingsLong: number | null;
  readonly walletFundingsEver: number | null;
  readonly funderFloor: bigint;
  /** What an account is sent. No limit, and not compared: it tells who shows the limits what fits. */
  readonly accountAmount: bigint;
}

/** Each limit's setting and column. */
const COLUMNS = [
  { name: 'shortWindowS', setting: 'LIMIT_SHORT_WINDOW', column: 'short_window_s' },
  { name: 'longWindowS', setting: 'LIMIT_LONG_WINDOW', column: 'long_window_s' },
  { name: 'flowShort', setting: 'LIMIT_FLOW_SHORT', column: 'flow_short' },
  { name: 'flowLong', setting: 'LIMIT_FLOW_LONG', column: 'flow_long' },
  { name: 'accountsShort', setting: 'LIMIT_ACCOUNTS_SHORT', column: 'accounts_short' },
  { name: 'walletFundingsLong', setting: 'LIMIT_WALLET_FUNDINGS_LONG', column: 'wallet_fundings_long' },
  { name: 'walletFundingsEver', setting: 'LIMIT_WALLET_FUNDINGS_EVER', column: 'wallet_fundings_ever' },
  { name: 'funderFloor', setting: 'FUNDER_FLOOR', column: 'funder_floor' },
  { name: 'accountAmount', setting: 'FLOW_FUNDING_AMOUNT', column: 'account_amount' },
] as const satisfies readonly { readonly name: keyof Limits; readonly setting: string; readonly column: string }[];

// Amounts as text: the largest limit has more digits than a bigint's parser takes.
const amount = z.string().transform(BigInt);
const limitRow = z.object({
  is_set: z.boolean(),
  short_window_s: z.number(),
  long_window_s: z.number(),
  flow_short: amount.nullable(),
  flow_long: amount.nullable(),
  accounts_short: z.number().nullable(),
  wallet_fundings_long: z.number().nullable(),
  wallet_fundings_ever: z.number().nullable(),
  funder_floor: amount,
  account_amount: amount,
});

/** The limits that the instances have registered; null before the first has. */
export async function readLimits(db: Db): Promise<Limits | null> {
  const { is_set: isSet, ...row } = await queryOne(
    db,
    limitRow,
    `select set_at is not null as is_set, short_window_s, long_window_s, flow_short::text, flow_long::text, accounts_short, wallet_fundings_long, wallet_fundings_ever,
       funder_floor::text, account_amount::text from wallet_sync.spending_limit`,
  );
  return isSet ? (Object.fromEntries(COLUMNS.map(({ name, column }) => [name, row[column]])) as unknown as Limits) : null;
}

const WRITE = `update wallet_sync.spending_limit set set_at = clock_timestamp(), ${COLUMNS.map(({ column }, i) => `${column} = $${i + 1}`).join(', ')}`;
const valuesOf = (limits: Limits, columns: readonly { readonly name: keyof Limits }[] = COLUMNS): (string | null)[] => columns.map(({ name }) => limits[name]?.toString() ?? null);

/** Registers them: they hold for every transaction that is recorded from now on. */
export async function writeLimits(db: Db, limits: Limits): Promise<void> {
  await db.query(WRITE, valuesOf(limits));
}

/** Registers them where no instance and no command has yet: who sends without a daemon is bound too. */
export async function offerLimits(db: Db, limits: Limits): Promise<void> {
  await db.query(`${WRITE} where set_at is null`, valuesOf(limits));
}

// No limit: it needs no agreement.
const COMPARED = COLUMNS.filter(({ name }) => name !== 'accountAmount');

/** Which of them differ. */
export const differingLimits = (some: Limits, others: Limits) => COMPARED.filter(({ name }) => some[name] !== others[name]);

/** A condition on the row of wallet_sync.spending_limit: that these are registered. Its values are numbered from `from` on. */
export const limitsCondition = (limits: Limits, from: number): { text: string; values: (string | null)[] } => ({
  text: `set_at is not null and ${COMPARED.map(({ column }, i) => `${column} is not distinct from $${from + i}`).join(' and ')}`,
  values: valuesOf(limits, COMPARED),
});

/** A limit as its setting has it. */
export function limitText(limits: Limits, name: keyof Limits): string {
  const value = limits[name];
  if (value === null) return 'off';
  if (typeof value === 'number') return String(value);
  return flowText(value).replace(/\.?0+$/, '');
}

/** 10^-8 FLOW as a decimal. */
function flowText(value: bigint): string {
  const digits = value.toString().padStart(9, '0');
  return `${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

export const LIMIT_NAMES = ['flow_short', 'flow_long', 'accounts_short'] as const;

const standingRow = z.object({ name: z.enum(LIMIT_NAMES), most: amount.nullable(), used: amount, window_s: z.number(), room_in_s: z.number().nullable() });

/**
 * How one limit of all stands. `used`: spent within the window, and what unsettled transactions may still cost; in 10^-8 FLOW, or accounts. `most`: null
 * where it is off. `roomInS`: seconds until one more account fits; 0: now; null: not before an unsettled transaction settles.
 */
export interface Standing {
  readonly name: (typeof LIMIT_NAMES)[number];
  readonly most: bigint | null;
  readonly used: bigint;
  readonly windowS: number;
  readonly roomInS: number | null;
}

/** How the limits stand. `fundingAmount`: what one account would be sent, in 10^-8 FLOW; left out: what the instances have registered that they send. */
export async function readStanding(db: Db, fundingAmount?: bigint): Promise<Standing[]> {
  const rows = await queryRows(db, standingRow, 'select name, most::text, used::text, window_s, room_in_s from wallet_sync.limit_standing($1)', [fundingAmount?.toString() ?? null]);
  return rows.map((row) => ({ name: row.name, most: row.most, used: row.used, windowS: row.window_s, roomInS: row.room_in_s }));
}

/** A limit as the reports and the log have it: amounts of FLOW as decimals, numbers of accounts as they are. */
export const standingToJson = ({ name, most, used, windowS, roomInS }: Standing) => {
  const value = (amount: bigint): string | number => (name === 'accounts_short' ? Number(amount) : flowText(amount));
  return { limit: name, most: most === null ? null : value(most), used: value(used), window_s: windowS, reached: roomInS !== 0, room_in_s: roomInS };
};

/** What a transaction costs beside what it sends, in 10^-8 FLOW: its fee at most, and each account that it makes. */
export interface Costs {
  readonly feeBound: bigint;
  readonly accountCost: bigint;
}

/** As the guard of the database counts them. */
export async function readCosts(db: Db): Promise<Costs> {
  const row = await queryOne(db, z.object({ fee_bound: z.number(), account_cost: z.number() }), 'select wallet_sync.fee_bound(), wallet_sync.account_cost()');
  return { feeBound: BigInt(row.fee_bound), accountCost: BigInt(row.account_cost) };
}

/** Those of these accounts whose own limit allows no funding now; whether for good. */
export async function walletsAtLimit(db: Db, accountIds: readonly number[]): Promise<Map<number, { readonly ever: boolean }>> {
  const rows = await queryRows(db, z.object({ account_id: z.number(), ever: z.boolean().nullable() }), 'select account_id, ever from wallet_sync.wallets_at_limit($1)', [accountIds]);
  return new Map(rows.map((row) => [row.account_id, { ever: row.ever ?? false }]));
}
