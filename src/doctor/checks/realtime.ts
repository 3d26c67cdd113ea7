import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { toAppError } from '../../errors.js';
import { forgetCanaries, sendCanary } from '../../journal/canary.js';
import { MUTE_MESSAGE } from '../../streams/echoProof.js';
import { joinRealtime } from '../../streams/joinRealtime.js';
import { createRealtimeClient } from '../../streams/realtimeClient.js';
import { defineCheck, fail, failOf, ok } from '../check.js';
import { hearBack } from '../hearBack.js';

const JOIN_MS = 4_500;
const HEAR_MS = 3_500;
const record = z.object({ nonce: z.string() });

/** Realtime joins, and brings back a canary that was written to the database. */
export const realtimeCheck = defineCheck({
  name: 'Realtime',
  needs: ['publication', 'service role key'],
  settings: ['DATABASE_URL', 'REALTIME', 'SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY'],
  async examine({ journal }, { REALTIME, SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key }) {
    if (!REALTIME) return ok('not looked at: REALTIME is off');
    const [db, self] = [journal(), randomUUID()];
    try {
      const latencyMs = await hearBack({
        events$: joinRealtime({ client: createRealtimeClient({ url, key }), joinWithinMs: JOIN_MS, leaveWithinMs: 500 }),
        isOpen: (event) => event.type === 'joined',
        nonceOf: (event) => (event.type === 'canary' ? (record.safeParse(event.record).data?.nonce ?? null) : null),
        send: (nonce) => sendCanary(db, self, nonce),
        withinMs: HEAR_MS,
      });
      return ok(`joined; a row written to the database comes back after ${Math.round(latencyMs)} ms`);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.message !== MUTE_MESSAGE) return failOf(error, 'check SUPABASE_URL, and that Realtime is enabled for the project; REALTIME=off does without it');
      return fail('joined, but a row written to the database does not come back', 'see that Realtime is enabled and its replication slot lives (select * from pg_replication_slots), and restart Realtime; NOTIFY and the poll work meanwhile');
    } finally {
      await forgetCanaries(db, self).catch(() => undefined);
    }
  },
});
