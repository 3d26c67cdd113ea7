import { z } from 'zod';
import { lastCycles, type Cycle } from './cycles.js';
import { createOverlap } from './overlap.js';
import { queryOne, queryRows, type Db } from './pool.js';

const signUpRow = z.object({ place: z.number(), auth_id: z.string(), at: z.date() });
const readyRow = z.object({
  place: z.number(),
  auth_id: z.string(),
  address: z.string(),
  at: z.date(),
  waited_ms: z.number().nullable(),
  source: z.string().nullable(),
  from_pool: z.boolean(),
});

/** A wallet row that was made: by a sign-up, or later by a sweep. */
export type FeedSignUp = Omit<z.output<typeof signUpRow>, 'place'>;
/** An account that was given. `waited_ms`: since its wallet row was made; null where the row is gone. */
export type FeedReady = Omit<z.output<typeof readyRow>, 'place'>;

export interface FeedNews {
  readonly signUps: readonly FeedSignUp[];
  readonly ready: readonly FeedReady[];
  /** Those of the last cycles whose record has changed. */
  readonly cycles: readonly Cycle[];
}

export interface Feed {
  /** What has come since the last call, whichever instance served it, each once; nothing at the first call. */
  news(): Promise<FeedNews>;
}

/** Told of each kind at most so many at a time, the newest: who watches can't read more, and the counts are in the status. */
const AT_ONCE = 1_000;
/** A transaction may commit this many calls after one that began later. */
const OVERLAP_CALLS = 5;
/** The newest few: an older one changes no more. */
const CYCLES = 5;

/**
 * Follows sign-ups, assignments and sweeps by the keys that number them. Each look reads only what lies behind a place a few looks ago,
 * through wallet's primary key and account's unique index on assignment.
 */
export function createFeed(db: Db): Feed {
  const signUps = createOverlap(OVERLAP_CALLS);
  const ready = createOverlap(OVERLAP_CALLS);
  const told = new Map<number, string>();
  let isFirst = true;

  return {
    async news() {
      if (isFirst) {
        const ends = await queryOne(db, z.object({ wallet: z.number(), assignment: z.number() }), 'select coalesce((select max(id) from public.wallet), 0) as wallet, coalesce((select max(assignment) from wallet_sync.account), 0) as assignment');
        // From a little before the end: what is in commit now has a place below it.
        signUps.begin(Math.max(0, ends.wallet - AT_ONCE));
        ready.begin(Math.max(0, ends.assignment - AT_ONCE));
      }
      // All is read before any of it counts as told: what fails half-way is read again.
      const [readUsers, readWallets] = [await readSignUps(db, signUps.from()), await readReady(db, ready.from())];
      const cycles = (await lastCycles(db, CYCLES)).reverse();
      const [newSignUps, newReady] = [signUps.fresh(readUsers), ready.fresh(readWallets)];
      const changed = cycles.filter((cycle) => told.get(cycle.id) !== JSON.stringify(cycle));
      told.clear();
      for (const cycle of cycles) told.set(cycle.id, JSON.stringify(cycle));
      if (isFirst) {
        isFirst = false;
        return { signUps: [], ready: [], cycles: [] };
      }
      return {
        signUps: newSignUps.map(({ auth_id, at }) => ({ auth_id, at })),
        ready: newReady.map(({ auth_id, address, at, waited_ms, source, from_pool }) => ({ auth_id, address, at, waited_ms, source, from_pool })),
        cycles: changed,
      };
    },
  };
}

const readSignUps = (db: Db, from: number): Promise<z.output<typeof signUpRow>[]> =>
  queryRows(db, signUpRow, 'select id as place, auth_id, created_at as at from public.wallet where id > $1 and auth_id is not null and created_at is not null order by id desc limit $2', [from, AT_ONCE]);

const readReady = (db: Db, from: number): Promise<z.output<typeof readyRow>[]> =>
  queryRows(
    db,
    readyRow,
    `select a.assignment as place, a.auth_id, a.address, a.assigned_at as at, a.delivered_by as source, coalesce(a.pool_hit, false) as from_pool,
       -- One lookup each: a join may read all wallets.
       (select greatest(0, round(extract(epoch from a.assigned_at - w.created_at) * 1000)) from public.wallet w where w.auth_id = a.auth_id)::double precision as waited_ms
     from wallet_sync.account a where a.assignment > $1 order by a.assignment desc limit $2`,
    [from, AT_ONCE],
  );
