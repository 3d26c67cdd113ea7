import { AppError } from '../../errors.js';
import { describeFunder, faultOfKey } from '../../handlers/checkFunders.js';
import { defineCheck, fail, worstOf, type Outcome } from '../check.js';

/** Each funding account exists, and each of its keys can sign alone. */
export const fundersCheck = defineCheck({
  name: 'funding accounts',
  needs: ['access node'],
  async examine({ chain }) {
    const { node, network } = await chain();
    const outcomes = await Promise.all(
      network.funders.map(async (funder): Promise<Outcome> => {
        const account = await node.account(funder.address);
        if (account === null) return fail(`${describeFunder(funder)} does not exist on chain`, 'correct its address in flow.json, or take it out of FUNDING_ACCOUNTS');
        const faults = funder.keyIndexes.flatMap((index) => {
          const fault = faultOfKey(funder, account.keys.find((key) => key.index === index));
          return fault === null ? [] : [`its key ${index} on chain is ${fault}`];
        });
        return faults.length === 0 ? { state: 'ok', found: funder.name } : fail(`${describeFunder(funder)}: ${faults.join(', ')}`, 'name in flow.json the key that the account has, with its algorithms, and only indexes of keys that can sign');
      }),
    );
    if (outcomes.length === 0) throw new AppError('usage', 'there is none', { where: 'flow.json' });
    return worstOf(outcomes, `${outcomes.length} exist, and their keys can sign alone`);
  },
});
