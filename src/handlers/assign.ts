import { toAppError, type AppError } from '../errors.js';
import { anyoneWaiting, assignAccounts, markCorrupted, newestWaiting, waitingUsers, type Assignment } from '../journal/assignments.js';
import { AWAKE_LEASE_MS, leaveAwake, stayAwake, tryToSleep } from '../journal/bell.js';
import { setAsideDouble } from '../journal/freeAccounts.js';
import type { Db } from '../journal/pool.js';
import type { Instance } from './instance.js';
import { count } from './statistics.js';

/** Users a statement serves at most: keeps it, and the locks it holds, under some 50 ms. */
const USERS_PER_LOOK = 500;
/** So many users who rang or were given an account, this close together, mean that staying awake is cheaper for the sign-ups than ringing. */
const BUSY_USERS = 4;
const BUSY_WINDOW_MS = 100;
/** While a sign-up holds the bell's lock, look again after so long. */
const AWAKE_PAUSE_MS = 5;
/** The same where users wait already for accounts to be made: what can be given then comes from a transaction of seconds. */
const UNSERVED_PAUSE_MS = 50;
/** Without a find and without a new user for this long, awake is given up though the lock is still refused. */
const REFUSED_MS = 1_000;
/** Users whose own signal is remembered until they are served; older ones count for the look's source. */
const HEARD_AT_MOST = 10_000;

/** Sources that tell of users; a look for another reason says nothing about who delivered whom. */
const DOORBELLS = ['notify', 'realtime', 'poll'];

/** The source of a look that follows from earlier ones, such as when accounts were made: no signal of its own. */
export const MADE = 'made';

/** One ring, as the assigner sees it: who, and which source. */
export interface Ring {
  readonly authId: string | null;
  readonly source: string;
}

export interface AssignerOptions {
  /** Told of each batch after its commit. */
  readonly onAssigned: (assigned: readonly Assignment[]) => void;
  /** Called again and again while awake with nothing to give: somebody may wait for accounts to be made. */
  readonly onUnserved: () => void;
  /** Asks for one more look after so many milliseconds. */
  readonly ringLater: (afterMs: number) => void;
}

export interface Assigner {
  /** Looks at who waits and gives out what is free, until a look finds nothing. Returns how many were given an account. */
  look(rings: readonly Ring[], signal: AbortSignal): Promise<number>;
}

/**
 * Assigning: one statement gives waiting users free accounts. Level-triggered: the rings only say that it is time, and which
 * source was first. `onAssigned` is told of each batch after its commit.
 */
export function createAssigner(instance: Instance, options: AssignerOptions): Assigner {
  const { journal, log, statistics, telemetry } = instance;
  const heard = new Map<string, string>();
  /** When the last of them came. */
  let busy: number[] = [];
  /** The doorbell that rang last. */
  let lastDoorbell: string | undefined;

  const remember = (rings: readonly Ring[]): void => {
    for (const { authId, source } of rings) if (authId !== null && !heard.has(authId)) heard.set(authId, source);
    for (const authId of heard.keys()) {
      if (heard.size <= HEARD_AT_MOST) break;
      heard.delete(authId);
    }
  };

  const assign = (db: Db, via: string): Promise<Assignment[]> => assignAccounts(db, { maxUsers: USERS_PER_LOOK, via, heard: Object.fromEntries(heard) });

  const lookOnce = async (via: string): Promise<number> => {
    const assigned = await assign(journal, via);
    report(assigned, via);
    return assigned.length;
  };

  const report = (assigned: readonly Assignment[], via: string): void => {
    if (assigned.length === 0) return;
    for (const { authId, address, deliveredBy, isPoolHit, waitedMs } of assigned) {
      count(statistics.deliveredBy, heard.get(authId) ?? via);
      heard.delete(authId);
      telemetry.emit({ kind: 'wallet-ready', authId, address, source: deliveredBy, fromPool: isPoolHit, waitedMs });
    }
    statistics.assigned += assigned.length;
    options.onAssigned(assigned);
  };

  /**
   * Who still waits was noticed by this look, though an account comes only later: it counts as the one that delivered. Who does not wait any more was
   * served meanwhile, by another instance or before his second doorbell rang: kept, they would all be sent with each statement.
   */
  const rememberWaiting = async (via: string): Promise<void> => {
    if (!DOORBELLS.includes(via)) return;
    const waiting = await waitingUsers(journal, USERS_PER_LOOK);
    if (waiting.length < USERS_PER_LOOK) {
      const still = new Set(waiting);
      for (const authId of heard.keys()) if (!still.has(authId)) heard.delete(authId);
    }
    remember(waiting.map((authId) => ({ authId, source: via })));
  };

  const noteBusy = (users: number): void => void (busy = [...busy, ...Array<number>(Math.min(users, BUSY_USERS)).fill(Date.now())].slice(-BUSY_USERS));
  const isBusy = (): boolean => busy.length === BUSY_USERS && Date.now() - (busy[0] ?? 0) < BUSY_WINDOW_MS;

  /**
   * Stays awake, so that sign-ups need not ring, until a look under the bell's lock finds nobody. Somebody who keeps the lock for
   * long does not keep us: {@link REFUSED_MS} after the last find or new user we leave, so that who comes then rings, and look once more
   * when those who have seen us awake are through.
   */
  const workAwake = async (via: string, signal: AbortSignal): Promise<number> => {
    let total = 0;
    let renewAt = 0;
    let activeAt = Date.now();
    let newest: string | null = null;
    let asleep = false;
    try {
      while (!signal.aborted && Date.now() - activeAt < REFUSED_MS) {
        if (Date.now() >= renewAt) {
          await stayAwake(journal, instance.id);
          renewAt = Date.now() + 1_000;
        }
        let found = await lookOnce(via);
        if (found === 0) {
          let late: Assignment[] = [];
          asleep = await tryToSleep(journal, instance.id, async (db) => (late = await assign(db, via)).length);
          // Told only after its commit.
          report(late, via);
          found = late.length;
          if (asleep) break;
          options.onUnserved();
          const last = await newestWaiting(journal);
          if (last !== newest) activeAt = Date.now();
          newest = last;
          const pauseMs = (await anyoneWaiting(journal)) ? UNSERVED_PAUSE_MS : AWAKE_PAUSE_MS;
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
        total += found;
        if (found > 0) activeAt = Date.now();
      }
    } finally {
      if (!asleep) {
        options.ringLater(AWAKE_LEASE_MS + 100);
        await leaveAwake(journal, instance.id);
      }
    }
    return total;
  };

  /**
   * A row that makes the whole statement fail is found by serving each user alone. He is set apart only where others could be
   * served: a fault that all meet is not theirs. An address that public.wallet has already is the account's fault.
   */
  const serveEachAlone = async (via: string, cause: AppError): Promise<number> => {
    let served = 0;
    const refused: { authId: string; error: AppError }[] = [];
    for (const authId of await waitingUsers(journal, USERS_PER_LOOK)) {
      try {
        const assigned = await assignAccounts(journal, { maxUsers: 1, via, heard: Object.fromEntries(heard), onlyUser: authId });
        report(assigned, via);
        served += assigned.length;
      } catch (thrown) {
        const error = toAppError(thrown);
        if (!isOneRowsFault(error)) throw error;
        refused.push({ authId, error });
      }
    }
    if (served > 0) {
      for (const { authId, error } of refused) {
        log.error({ authId, reason: error.message }, 'wallet row refuses its account');
        await markCorrupted(journal, authId, error.message, 'mend the row or the constraint that the reason names, then resync the user');
      }
      return served;
    }
    const address = refused.some(({ error }) => error.where === 'postgres 23505') ? await setAsideDouble(journal, cause.message) : null;
    if (address !== null) {
      log.error({ address, reason: cause.message }, 'free account set aside: public.wallet has its address already');
      options.ringLater(0);
      return 0;
    }
    throw cause;
  };

  return {
    async look(rings, signal) {
      remember(rings);
      const doorbells = rings.filter((ring) => DOORBELLS.includes(ring.source));
      // One that names a user rather than one that only asks: a flood that a poll stands before is not the poll's.
      const rang = (doorbells.find((ring) => ring.authId !== null) ?? doorbells[0])?.source;
      const ringers = rings.filter((ring) => ring.source === 'notify' && ring.authId !== null).length;
      lastDoorbell = rang ?? lastDoorbell;
      const own = rang ?? rings[0]?.source ?? MADE;
      // New accounts were made because somebody rang.
      const via = own === MADE ? (lastDoorbell ?? MADE) : own;
      try {
        let total = 0;
        for (;;) {
          const found = await lookOnce(via);
          total += found;
          noteBusy(Math.max(found, ringers));
          if (found === USERS_PER_LOOK) continue;
          if (isBusy() && !signal.aborted) total += await workAwake(via, signal);
          await rememberWaiting(via);
          return total;
        }
      } catch (thrown) {
        const error = toAppError(thrown);
        if (!isOneRowsFault(error)) throw error;
        return serveEachAlone(via, error);
      }
    },
  };
}

/** Constraint and trigger failures of a row (`internal`, SQLSTATE class 22, 23 or P0), as against a lost connection or schema. */
function isOneRowsFault(error: AppError): boolean {
  return error.kind === 'internal' && /postgres (22|23|P0)/.test(error.where ?? '');
}
