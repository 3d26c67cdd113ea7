import { z } from 'zod';
import { queryOne } from '../../journal/pool.js';
import { defineCheck, fail, ok, warn } from '../check.js';

/** Ages and rates are reckoned over both clocks: below this nobody notices. */
const WARN_MS = 2_000;
const FAIL_MS = 60_000;

/** This machine's clock against the database's. */
export const clockCheck = defineCheck({
  name: 'clock',
  needs: ['database'],
  settings: ['DATABASE_URL'],
  async examine({ journal, now }) {
    const before = now();
    const { at } = await queryOne(journal(), z.object({ at: z.date() }), 'select clock_timestamp() as at');
    // The answer was written at some moment between the two.
    const after = now();
    const offMs = at.getTime() < before ? before - at.getTime() : Math.max(0, at.getTime() - after);
    const text = `${(offMs / 1_000).toFixed(1)} s ${at.getTime() < before ? 'ahead of' : 'behind'} the database's`;
    const mend = 'keep the time of both machines by NTP (timedatectl set-ntp true)';
    if (offMs > FAIL_MS) return fail(text, mend);
    return offMs > WARN_MS ? warn(text, mend) : ok("as the database's");
  },
});
