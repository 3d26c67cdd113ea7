import { z } from 'zod';
import { AppError } from '../../errors.js';
import { normalizeAddress } from '../../flow/address.js';
import { formatAmount } from '../../flow/amount.js';
import { readLedger, type LedgerEntry, type LedgerFilter } from '../../journal/ledger.js';
import { readSince } from '../since.js';
import { withJournal } from '../withJournal.js';
import { write } from '../write.js';

export interface LedgerOptions {
  readonly since: string | undefined;
  readonly user: string | undefined;
  readonly funder: string | undefined;
  readonly json: boolean;
}

/** `wallet-sync ledger`: every FLOW that left a funder, the newest last, as it is read; then the totals. With --json each is one line of JSON. */
export async function runLedger(options: LedgerOptions): Promise<void> {
  const filter = readFilter(options, Date.now());
  const totals = createTotals();
  await withJournal(async (journal) => {
    if (!options.json && !(await write(`${HEADING}\n`))) return;
    for await (const page of readLedger(journal, filter)) {
      for (const entry of page) totals.add(entry);
      if (!(await write(page.map((entry) => `${options.json ? JSON.stringify(toJson(entry)) : toText(entry)}\n`).join('')))) return;
    }
    await write(options.json ? `${JSON.stringify({ totals: totals.toJson() })}\n` : totals.toText());
  });
}

/** Throws `usage` for what cannot be meant. */
export function readFilter(options: Omit<LedgerOptions, 'json'>, now: number): LedgerFilter {
  const { since, user, funder } = options;
  if (user !== undefined && !z.guid().safeParse(user).success) throw new AppError('usage', 'is not a user id (uuid)', { where: '--user' });
  if (funder !== undefined && !/^(0x)?[0-9a-f]{1,16}$/i.test(funder)) throw new AppError('usage', 'is not an address', { where: '--funder', mend: '`wallet-sync funders list` shows the addresses' });
  return {
    ...(since === undefined ? {} : { since: readSince(since, now) }),
    ...(user === undefined ? {} : { authId: user.toLowerCase() }),
    ...(funder === undefined ? {} : { funder: normalizeAddress(funder) }),
  };
}

const HEADING = `${'time'.padEnd(24)} ${'funder'.padEnd(18)} ${'purpose'.padEnd(8)} ${'part'.padEnd(7)} ${'wallet'.padEnd(18)} ${'FLOW'.padStart(16)}  transaction`;

const flow = (amount: bigint | null): string => (amount === null ? 'not known yet' : signed(amount));

/** As the chain writes amounts; below 0 with a sign, which no entry should have. */
export const signed = (amount: bigint): string => (amount < 0n ? `-${formatAmount(-amount)}` : formatAmount(amount));

const sumOf = ({ amount, fee }: LedgerEntry): bigint | null => (amount === null || fee === null ? null : amount + fee);

function toText(entry: LedgerEntry): string {
  return `${entry.at} ${entry.funder} ${entry.purpose.padEnd(8)} ${entry.part.padEnd(7)} ${(entry.wallet ?? '').padEnd(18)} ${flow(sumOf(entry)).padStart(16)}  ${entry.tx_id}`;
}

function toJson({ at, funder, purpose, part, wallet, auth_id: user, amount, fee, tx_id: transaction }: LedgerEntry): unknown {
  const orNull = (value: bigint | null): string | null => (value === null ? null : signed(value));
  return { at, funder, purpose, part, wallet, user, amount: orNull(amount), fee: orNull(fee), transaction };
}

/** Sums by purpose and by funder: as few as there are of these, whatever the number of entries. */
function createTotals() {
  const sums = { purpose: new Map<string, Sum>(), funder: new Map<string, Sum>() };
  let entries = 0;
  let unknown = 0;
  const addTo = (map: Map<string, Sum>, name: string, entry: LedgerEntry): void => {
    const sum = map.get(name) ?? { amount: 0n, fees: 0n };
    map.set(name, { amount: sum.amount + (entry.amount ?? 0n), fees: sum.fees + (entry.fee ?? 0n) });
  };
  const list = (map: ReadonlyMap<string, Sum>): [string, Sum][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  const named = (map: ReadonlyMap<string, Sum>): unknown => Object.fromEntries(list(map).map(([name, { amount, fees }]) => [name, { amount: signed(amount), fees: signed(fees), total: signed(amount + fees) }]));

  return {
    add(entry: LedgerEntry): void {
      entries += 1;
      if (sumOf(entry) === null) unknown += 1;
      addTo(sums.purpose, entry.purpose, entry);
      addTo(sums.funder, entry.funder, entry);
    },
    toJson: (): unknown => ({ entries, not_known_yet: unknown, purposes: named(sums.purpose), funders: named(sums.funder) }),
    toText(): string {
      if (entries === 0) return 'Nothing has left a funder.\n';
      const line = ([name, { amount, fees }]: [string, Sum]): string => `${name.padEnd(20)} ${signed(amount + fees).padStart(18)}   fees ${signed(fees)}\n`;
      const all = list(sums.purpose).reduce((sum, [, each]) => ({ amount: sum.amount + each.amount, fees: sum.fees + each.fees }), { amount: 0n, fees: 0n });
      const missing = unknown === 0 ? '' : `${unknown} of ${entries} entries are not known yet: a running instance reads them from the chain.\n`;
      return `\n${list(sums.purpose).map(line).join('')}${list(sums.funder).map(line).join('')}${line(['all', all])}${missing}`;
    },
  };
}

interface Sum {
  readonly amount: bigint;
  readonly fees: bigint;
}
