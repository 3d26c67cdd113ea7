import { z } from 'zod';
import { livingInstances } from '../../journal/instances.js';
import { queryOne } from '../../journal/pool.js';
import { defineCheck, fail, ok, warn } from '../check.js';

const controlRow = z.object({ paused: z.boolean(), provision: z.string(), assign: z.string() });

/** What all instances share: whether they are paused, and the policy, which this one must have too. */
export const controlCheck = defineCheck({
  name: 'control',
  needs: ['migrations'],
  settings: ['DATABASE_URL', 'PROVISION', 'ASSIGN'],
  async examine({ journal }, { PROVISION, ASSIGN }) {
    const db = journal();
    const instances = await livingInstances(db);
    const row = await queryOne(db, controlRow, 'select paused, provision, assign from wallet_sync.control');
    const theirs = `PROVISION=${row.provision}, ASSIGN=${row.assign}`;
    if (instances.length > 0 && (row.provision !== PROVISION || row.assign !== ASSIGN)) {
      return fail(`${instances.map(({ host, pid }) => `${host}:${pid}`).join(', ')} run with ${theirs}, these settings say PROVISION=${PROVISION}, ASSIGN=${ASSIGN}`, 'give all instances the same, or stop those that run');
    }
    if (row.paused) return warn('paused: nothing is made, given or sent', 'wallet-sync resume');
    return ok(instances.length === 0 ? 'not paused; no instance runs' : `not paused; ${instances.length} running with ${theirs}`);
  },
});
