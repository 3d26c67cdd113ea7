import { formatAmount } from '../../flow/amount.js';
import { lowWaterMark } from '../../handlers/checkFunders.js';
import { daysLeft, readSpending } from '../../journal/spending.js';
import { defineCheck, fail, ok, warn } from '../check.js';

/** Time enough to send FLOW before it runs out. */
const WARN_DAYS = 7;

/** The funding accounts have FLOW, and for how long at the last week's rate. */
export const balancesCheck = defineCheck({
  name: 'FLOW left',
  needs: ['funding accounts', 'migrations'],
  settings: ['DATABASE_URL', 'FLOW_FUNDING_AMOUNT', 'FUNDER_FLOOR'],
  async examine({ chain, journal }, { FLOW_FUNDING_AMOUNT, FUNDER_FLOOR }) {
    const { node, network } = await chain();
    const lowWater = lowWaterMark({ FLOW_FUNDING_AMOUNT, FUNDER_FLOOR });
    const accounts = await Promise.all(network.funders.map(async (funder) => ({ name: funder.name, balance: (await node.account(funder.address))?.balance ?? 0n })));
    const low = accounts.filter(({ balance }) => balance < lowWater);
    const total = accounts.reduce((sum, { balance }) => sum + balance, 0n);
    const days = daysLeft(total, await readSpending(journal()), FLOW_FUNDING_AMOUNT);
    const sum = `${formatAmount(total)} FLOW in ${accounts.length} accounts${days === null ? '; nothing was spent in the last week' : `, for ${days < 100 ? days.toFixed(1) : Math.round(days)} days at the last week's rate`}`;
    const mend = `send FLOW to ${(low.length > 0 ? low : accounts).map(({ name }) => name).join(', ')}; an account below ${formatAmount(lowWater)} FLOW sends nothing`;
    if (low.length === accounts.length) return fail(`every funding account is below its low-water mark of ${formatAmount(lowWater)} FLOW`, mend);
    if (low.length > 0) return warn(`${low.map(({ name, balance }) => `${name} has ${formatAmount(balance)}`).join(', ')} FLOW, below the low-water mark of ${formatAmount(lowWater)}; ${sum}`, mend);
    return days !== null && days < WARN_DAYS ? warn(sum, mend) : ok(sum);
  },
});
