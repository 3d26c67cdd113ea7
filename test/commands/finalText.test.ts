import { expect, it } from 'vitest';
import { finalText } from '../../src/commands/finalText.js';
import { createStatistics } from '../../src/handlers/statistics.js';

it('a stop says on a terminal what was done, and what is still in flight', () => {
  const statistics = { ...createStatistics(), assigned: 3, deliveredBy: { notify: 2, poll: 1 }, accountsMade: 25, sweeps: 1, transactionsSent: 4, transactionsSealed: 3 };
  expect(finalText(statistics, { unsettled: 1, cycle: null }).split('\n')).toEqual([
    'given      3 wallets: 2 by notify, 1 by poll',
    'made       25 accounts, 1 sweeps',
    'sent       4 transactions: 3 sealed, 0 failed, 1 in flight (the next start follows them)',
  ]);
});
