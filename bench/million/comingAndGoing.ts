import pg from 'pg';
import type { Postgres } from '../../dev/postgres.js';
import { signUp } from '../../dev/signUp.js';
import { authIdOf } from './benchUser.js';

/** A sweep of 5,000 users is over within a second. */
const LOOK_MS = 20;

export interface ComingAndGoing {
  /** Users who signed up so far, and the numbers of those who were deleted. */
  readonly signedUp: () => number;
  readonly deleted: ReadonlySet<number>;
  /** Ends it; rejects where a sign-up or a deletion failed. */
  stop(): Promise<void>;
}

/**
 * Lets `count` users sign up and as many seeded ones be deleted, spread evenly over a sweep: `progress` says how far it is, 0 to 1. Both go as
 * the Auth server makes them, as its role.
 */
export function startComingAndGoing(options: { postgres: Postgres; users: number; count: number; progress: () => number }): ComingAndGoing {
  const pool = new pg.Pool({ connectionString: options.postgres.url('supabase_auth_admin'), max: 2 });
  pool.on('error', () => undefined);
  const victims = drawNumbers(options.users, options.count);
  const deleted = new Set<number>();
  let signedUp = 0;
  let stopped = false;

  async function act(): Promise<void> {
    while (!stopped) {
      const due = Math.floor(options.progress() * options.count);
      while (!stopped && signedUp < due) {
        await signUp(pool);
        signedUp += 1;
        const victim = victims[deleted.size];
        if (victim === undefined) continue;
        await pool.query('delete from auth.users where id = $1', [authIdOf(victim)]);
        deleted.add(victim);
      }
      if (signedUp >= options.count) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  const acting = act().finally(() => pool.end());
  acting.catch(() => undefined);
  return {
    signedUp: () => signedUp,
    deleted,
    stop() {
      stopped = true;
      return acting;
    },
  };
}

/** Different numbers below `below`, the same in each run (mulberry32). */
function drawNumbers(below: number, count: number): number[] {
  let state = 20_261_127;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const drawn = new Set<number>();
  while (drawn.size < Math.min(count, below)) drawn.add(Math.floor(random() * below));
  return [...drawn];
}
