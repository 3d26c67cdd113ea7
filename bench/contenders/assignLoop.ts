import pg from 'pg';
import type { Stack } from '../../dev/stack.js';

/**
 * The least that gives an account when the bell rings: one connection listens, another runs the one statement that gives. It makes, checks
 * and records nothing, and no daemon runs beside it.
 */
export async function startAssignLoop(stack: Stack): Promise<{ stop(): Promise<void> }> {
  const listener = new pg.Client({ connectionString: stack.env()['DATABASE_URL'] ?? '' });
  let isBusy = false;
  let isRung = false;
  let failure: unknown = null;
  // Without a listener it would end the process where a benchmark is interrupted, before the rest is stopped.
  listener.on('error', (thrown) => (failure ??= thrown));
  await listener.connect();
  const assign = async (): Promise<void> => {
    isRung = true;
    if (isBusy) return;
    isBusy = true;
    while (isRung) {
      isRung = false;
      await stack.servicePool.query("select auth_id from wallet_sync.assign(100, 'loop', '{}')");
    }
    isBusy = false;
  };
  listener.on('notification', () => void assign().catch((thrown: unknown) => (failure = thrown)));
  await listener.query('listen wallet_sync');
  return {
    async stop() {
      await listener.end();
      if (failure !== null) throw failure instanceof Error ? failure : new Error('the loop failed');
    },
  };
}
