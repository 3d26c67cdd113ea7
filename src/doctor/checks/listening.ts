import { toAppError } from '../../errors.js';
import { HEARTBEAT_CHANNEL, sendHeartbeat } from '../../journal/canary.js';
import { MUTE_MESSAGE } from '../../streams/echoProof.js';
import { listenToPostgres } from '../../streams/listenToPostgres.js';
import { defineCheck, fail, failOf, ok } from '../check.js';
import { hearBack } from '../hearBack.js';

/** A NOTIFY takes milliseconds; the rest is for the other checks, which load their libraries meanwhile on what may be a busy machine. */
const HEAR_MS = 4_000;
const CONNECT_MS = 4_000;

/** LISTEN hears a NOTIFY that another connection sends. Through a transaction pooler it is accepted, and hears nothing. */
export const listeningCheck = defineCheck({
  name: 'LISTEN',
  needs: ['database'],
  settings: ['DATABASE_URL'],
  async examine({ journal }, { DATABASE_URL: connectionString }) {
    const db = journal();
    try {
      const latencyMs = await hearBack({
        events$: listenToPostgres({ connectionString, channels: [HEARTBEAT_CHANNEL], connectWithinMs: CONNECT_MS }),
        isOpen: (event) => event.type === 'listening',
        nonceOf: (event) => (event.type === 'notification' ? (event.payload ?? null) : null),
        send: (nonce) => sendHeartbeat(db, nonce),
        withinMs: HEAR_MS,
      });
      return ok(`hears a NOTIFY of another connection after ${Math.round(latencyMs)} ms`);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.message !== MUTE_MESSAGE) return failOf(error, 'check DATABASE_URL, and that the server has a connection to spare');
      return fail('a NOTIFY of another connection is not heard', 'DATABASE_URL leads through a transaction pooler: use the direct connection, or the session pooler (port 5432)');
    }
  },
});
