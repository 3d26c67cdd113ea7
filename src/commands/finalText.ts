import type { Statistics } from '../handlers/statistics.js';
import type { Cycle } from '../journal/cycles.js';
import { cycleToText } from './cycleText.js';

/** What a stop has left behind. */
export interface End {
  /** Transactions in flight: recorded, and followed by whoever looks next. */
  readonly unsettled: number;
  /** The sweep that was broken off. */
  readonly cycle: Cycle | null;
}

/** What an instance has done from its start to its end, for a person. */
export function finalText(statistics: Statistics, { unsettled, cycle }: End): string {
  const by = Object.entries(statistics.deliveredBy).map(([source, users]) => `${users} by ${source}`).join(', ');
  return [
    `given      ${statistics.assigned} wallets${by === '' ? '' : `: ${by}`}`,
    `made       ${statistics.accountsMade} accounts, ${statistics.sweeps} sweeps`,
    `sent       ${statistics.transactionsSent} transactions: ${statistics.transactionsSealed} sealed, ${statistics.transactionsFailed} failed, ${unsettled} in flight${unsettled === 0 ? '' : ' (the next start follows them)'}`,
    ...(cycle === null ? [] : [cycleToText(cycle, 0), '           the next sweep goes on from there']),
  ].join('\n');
}
