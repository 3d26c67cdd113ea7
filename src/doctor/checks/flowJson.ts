import { defineCheck, fail, ok } from '../check.js';

/** flow.json reads, and names funding accounts whose keys are there and nobody else's to read. */
export const flowJsonCheck = defineCheck({
  name: 'flow.json',
  settings: ['NETWORK', 'FLOW_JSON', 'FUNDING_ACCOUNTS', 'FLOW_ACCESS_NODE', 'SCRIPT_RPS', 'TRANSACTION_RPS', 'EVENT_RPS', 'READ_RPS'],
  async examine({ chain }, { FLOW_JSON, NETWORK }) {
    const { funders } = (await chain()).network;
    if (funders.length === 0) return fail(`${FLOW_JSON} has no funding account of ${NETWORK}: nothing can be sent`, 'add an account whose name begins with funder-, or name others in FUNDING_ACCOUNTS');
    return ok(`${funders.length} funding accounts on ${NETWORK} with ${funders.reduce((keys, funder) => keys + funder.keyIndexes.length, 0)} keys`);
  },
});
