import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../errors.js';
import { queryOne, type Db } from './pool.js';

export interface RatePlacesOptions<Kind extends string> {
  /** Calls a second that the access node allows, by kind. Of instances that differ the lowest counts (see sql/008_rate_limits.sql). */
  readonly rates: Readonly<Record<Kind, number>>;
  /** A place is free again so long after its call's end, in milliseconds; below one call a second, so many seconds' share longer. */
  readonly holdMs: number;
  /** No call takes longer, in milliseconds. */
  readonly callTimeoutMs: number;
  /** A number in [0, 1), as Math.random gives, which is the default. */
  readonly random?: () => number;
}

/** The gate before the access node that all instances pass: what a limiter asks before each call. */
export interface RatePlaces<Kind extends string> {
  /**
   * Waits for a place, among all instances in the order of asking. The call starts at once, and what is returned is called at its end; it
   * waits for nothing. Throws what the journal throws: `network` where the database doesn't answer, or not within {@link MARGIN_MS}.
   */
  enter(kind: Kind): Promise<() => Promise<void>>;
  /** No call of that kind starts for so many milliseconds, in any instance. */
  pause(kind: Kind, forMs: number): Promise<void>;
}

/**
 * A place is leased for the call's time-out and so much more: the way of the answer that grants it. An answer that took longer grants
 * nothing, since the call could outlive the lease. A killed instance's places are free after call time-out + this + hold: 16 s.
 */
export const MARGIN_MS = 5_000;

/**
 * Ends are told with the next exchange, and after this at the latest. So leaving costs no round trip of its own while calls go on, and no
 * time: nobody could have had the place before the hold (1,020 ms) is over.
 */
const TELL_WITHIN_MS = 250;

/** Spreads the instances that wait for the same moment. */
const JITTER_MS = 5;

/** What an instance that waits may be late by before its turn is another's. */
const GRACE_MS = 250;

const exchangeRow = z.object({ places: z.array(z.number()).nullable(), epochs: z.array(z.number()).nullable(), wait_ms: z.number().nullable() });

const EXCHANGE = 'select places, epochs, wait_ms from wallet_sync.exchange_rate_places($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';

/**
 * Shares the access node's limits with all instances on this database that do the same, whatever their address. One statement at a time
 * for each kind takes places for all calls that wait, and tells of those that have ended: under load one round trip serves many calls
 * (measured with 3 instances at 100 reads a second: 0.3 statements a call), and each kind uses one connection at most.
 */
export function createRatePlaces<Kind extends string>(db: Db, options: RatePlacesOptions<Kind>): RatePlaces<Kind> {
  const instanceId = randomUUID();
  const lanes = new Map<Kind, Lane>();
  const lane = (kind: Kind): Lane => {
    const known = lanes.get(kind) ?? createLane(db, instanceId, kind, options.rates[kind], options);
    lanes.set(kind, known);
    return known;
  };
  return {
    enter: (kind) => lane(kind).enter(),
    async pause(kind, forMs) {
      await db.query('select wallet_sync.pause_rate($1, $2)', [kind, forMs]);
    },
  };
}

interface Lane {
  enter(): Promise<() => Promise<void>>;
}

interface Place {
  readonly place: number;
  readonly epoch: number;
}

interface Asking {
  grant(place: Place): void;
  refuse(error: unknown): void;
}

function createLane(db: Db, instanceId: string, kind: string, rate: number, options: Omit<RatePlacesOptions<string>, 'rates'>): Lane {
  const { holdMs, callTimeoutMs, random = Math.random } = options;
  const leaseMs = callTimeoutMs + MARGIN_MS;
  // A place in use is free a hold from now at the earliest, less what its end may be told late: looking sooner finds nothing new.
  const lookWithinMs = holdMs * Math.max(1, 1 / rate) - TELL_WITHIN_MS;
  const asking: Asking[] = [];
  let ended: (Place & { readonly at: number })[] = [];
  /** There is none before. */
  let freeAt = 0;
  let isUnderWay = false;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;

  function exchangeAt(at: number): void {
    if (isUnderWay || at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void exchange(), at - performance.now());
  }

  async function exchange(): Promise<void> {
    isUnderWay = true;
    clearTimeout(timer);
    dueAt = Infinity;
    const sentAt = performance.now();
    // What has ended so long ago has come back by itself.
    const told = ended.filter(({ at }) => sentAt - at < leaseMs);
    ended = [];
    const wanted = asking.length;
    try {
      const { places, epochs, wait_ms } = await queryOne(db, exchangeRow, EXCHANGE, [
        kind, rate, holdMs, leaseMs, instanceId, wanted, lookWithinMs + GRACE_MS,
        told.map(({ place }) => place), told.map(({ epoch }) => epoch), told.map(({ at }) => sentAt - at),
      ]);
      const now = performance.now();
      const granted = (places ?? []).map((place, i) => ({ place, epoch: epochs?.[i] ?? 0 }));
      freeAt = granted.length === wanted ? 0 : now + Math.min(Math.max(0, wait_ms ?? Infinity), lookWithinMs) + random() * JITTER_MS;
      if (now - sentAt > MARGIN_MS) {
        ended.push(...granted.map((place) => ({ ...place, at: sentAt })));
        refuse(wanted, new AppError('network', `took ${Math.round(now - sentAt)} ms to answer`, { where: 'postgres', mend: 'look for what keeps Postgres busy (pg_stat_activity)' }));
      } else {
        for (const place of granted) asking.shift()?.grant(place);
      }
    } catch (error) {
      // The next exchange tells of them again; without one, the leases end.
      ended.push(...told);
      refuse(wanted, error);
    }
    isUnderWay = false;
    if (asking.length > 0) exchangeAt(Math.max(freeAt, performance.now()));
    // Only what ended meanwhile: telling a database that doesn't answer again and again would keep an ending process alive.
    else if (ended.some(({ at }) => at > sentAt)) exchangeAt(performance.now() + TELL_WITHIN_MS);
  }

  function refuse(count: number, error: unknown): void {
    for (const one of asking.splice(0, count)) one.refuse(error);
  }

  return {
    enter: () =>
      new Promise((resolve, reject) => {
        asking.push({
          refuse: reject,
          grant: (place) =>
            resolve(() => {
              ended.push({ ...place, at: performance.now() });
              exchangeAt(performance.now() + TELL_WITHIN_MS);
              return Promise.resolve();
            }),
        });
        exchangeAt(Math.max(freeAt, performance.now()));
      }),
  };
}
