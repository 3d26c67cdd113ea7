import { toAppError } from '../../errors.js';
import { loadCadence } from '../../flow/cadence.js';
import { checkWallets } from '../../flow/checkWallets.js';
import { defineCheck, failOf, ok } from '../check.js';

/** The contracts are where flow.json says: the script that a sweep sends imports them all. */
export const contractsCheck = defineCheck({
  name: 'contracts',
  needs: ['access node'],
  settings: ['FLOW_JSON'],
  async examine({ chain }, { FLOW_JSON }) {
    const { node, network } = await chain();
    try {
      const { height } = await checkWallets({ accessNode: node, cadence: loadCadence(network), wallets: [] });
      return ok(`${Object.keys(network.contracts).join(', ')} answer at block ${height}`);
    } catch (thrown) {
      return failOf(toAppError(thrown), `correct the addresses under contracts in ${FLOW_JSON} for ${network.name}`);
    }
  },
});
