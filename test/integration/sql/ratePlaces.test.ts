import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startPostgresProxy } from '../../../dev/postgresProxy.js';
import { CALL_KINDS, type CallKind } from '../../../src/flow/limiter.js';
import { openJournal, type Db } from '../../../src/journal/pool.js';
import { createRatePlaces, MARGIN_MS, type RatePlaces } from '../../../src/journal/ratePlaces.js';
import { createLog } from '../../../src/log.js';
import { until } from '../../support/daemonWorld.js';
import { startDatabase, type Database } from '../../support/database.js';

const HOLD_MS = 1_020;
const LEASE_MS = 15_000;
const ANN = '00000000-0000-4000-8000-00000000000a';
const BOB = '00000000-0000-4000-8000-00000000000b';
const CAT = '00000000-0000-4000-8000-00000000000c';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => void (await database.asOwner('truncate wallet_sync.rate_place, wallet_sync.rate_waiting, wallet_sync.rate_limit')));
afterEach(() => database.disconnect());

interface Grant {
  readonly granted: number;
  readonly places: number[];
  readonly epochs: number[];
  readonly waitMs: number | null;
}

interface Ask {
  readonly instance?: string;
  readonly rate?: number;
  /** Calls that have ended, and how long ago, in milliseconds. */
  readonly ended?: Grant;
  readonly agoMs?: number;
}

/** One exchange as an instance makes it. */
async function take(wanted: number, { instance = ANN, rate = 5, ended, agoMs = 0 }: Ask = {}): Promise<Grant> {
  const { rows } = await database.journal.query('select * from wallet_sync.exchange_rate_places($1, $2, $3, $4, $5, $6, 1000, $7, $8, $9)', [
    'script', rate, HOLD_MS, LEASE_MS, instance, wanted, ended?.places ?? [], ended?.epochs ?? [], (ended?.places ?? []).map(() => agoMs),
  ]);
  const row = rows[0] as { places: number[] | null; epochs: number[] | null; wait_ms: number | null };
  return { granted: row.places?.length ?? 0, places: row.places ?? [], epochs: row.epochs ?? [], waitMs: row.wait_ms };
}

/** Lets so much time pass for all that the tables hold. */
async function age(ms: number): Promise<void> {
  const ago = `- make_interval(secs => ${ms / 1_000})`;
  await database.asOwner(`update wallet_sync.rate_place set ends_at = ends_at ${ago}`);
  await database.asOwner(`update wallet_sync.rate_waiting set since = since ${ago}, looks_by = looks_by ${ago}`);
  await database.asOwner(`update wallet_sync.rate_limit set rate_until = rate_until ${ago}, paused_until = paused_until ${ago}`);
}

describe('places', () => {
  test('are as many as calls a second, each free again a hold after its call has ended', async () => {
    const first = await take(9);
    expect(first.granted).toBe(5);
    expect(await take(1)).toMatchObject({ granted: 0 });
    const { waitMs } = await take(1, { ended: first, agoMs: 100 });
    expect(waitMs).toBeGreaterThan(HOLD_MS - 200);
    expect(waitMs).toBeLessThanOrEqual(HOLD_MS - 100);
    await age(HOLD_MS - 150);
    expect((await take(9)).granted).toBe(0);
    await age(100);
    expect((await take(9)).granted).toBe(5);
  });

  test.each([
    [4.5, 4, 1],
    [1.9, 1, 1],
    [0.5, 1, 2],
    [0.1, 1, 10],
  ])('a rate of %d lets %d into a second, or its share', async (rate, places, holds) => {
    const first = await take(20, { rate });
    expect(first.granted).toBe(places);
    await take(0, { rate, ended: first });
    await age(HOLD_MS * holds - 100);
    expect((await take(20, { rate })).granted).toBe(0);
    await age(100);
    expect((await take(20, { rate })).granted).toBe(places);
  });

  test('of instances with different rates the lowest counts, for all, until it has not been heard of for a minute', async () => {
    const fast = { rate: 10, instance: BOB };
    const before = await take(10, fast);
    expect(before.granted).toBe(10);
    await take(0, { ended: before });
    expect((await take(1)).granted, 'the last second has seen more than the lower rate already').toBe(0);
    await age(HOLD_MS);
    expect((await take(1)).granted).toBe(1);
    expect((await take(10, fast)).granted).toBe(4);
    await age(58_000);
    expect((await take(10, fast)).granted).toBe(5);
    await age(61_000);
    expect((await take(10, fast)).granted).toBe(10);
    await age(LEASE_MS + HOLD_MS);
    expect((await take(10)).granted, 'the slow one is back').toBe(5);
  });

  test('a rate stays known while its instance calls', async () => {
    await take(1);
    await age(31_000);
    await take(1);
    await age(31_000);
    expect((await take(10, { rate: 10, instance: BOB })).granted).toBe(5);
  });

  test('an instance that never tells of an end gives its places back when no call can be running any more', async () => {
    await take(5);
    await age(LEASE_MS + HOLD_MS - 200);
    expect((await take(5, { instance: BOB })).granted).toBe(0);
    await age(200);
    expect((await take(5, { instance: BOB })).granted).toBe(5);
  });

  test('who tells of an end after the lease frees nothing that another has by now', async () => {
    const old = await take(5);
    await age(LEASE_MS + HOLD_MS);
    await take(5, { instance: BOB });
    await take(0, { ended: old, agoMs: 60_000 });
    expect((await take(5)).granted).toBe(0);
  });

  test('are counted by one exchange at a time: who asks meanwhile waits, and sees what the other has taken', async () => {
    await take(1);
    await age(LEASE_MS + HOLD_MS);
    const first = await database.connect('wallet_sync_service');
    await first.query('begin');
    await first.query("select wallet_sync.exchange_rate_places('script', 5, $1, $2, $3, 5, 1000, '{}', '{}', '{}')", [HOLD_MS, LEASE_MS, BOB]);
    const second = take(5);
    await until(10_000, async () => (await database.asOwner("select from pg_stat_activity where wait_event_type = 'Lock'")).length > 0);
    await first.query('commit');
    expect((await second).granted).toBe(0);
  });

  test('a crash of Postgres forgets them, and none is free before the calls of before have ended', async () => {
    await take(5);
    const victim = await database.connect('wallet_sync_service');
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    process.kill(rows[0]!.pid, 'SIGKILL');
    await until(20_000, async () => (await database.journal.query('select from wallet_sync.rate_place').catch(() => null))?.rowCount === 0);
    const { granted, waitMs } = await take(5, { instance: BOB });
    expect(granted).toBe(0);
    expect(waitMs).toBeGreaterThan(LEASE_MS);
    await age(LEASE_MS + HOLD_MS);
    expect((await take(9, { instance: BOB })).granted).toBe(5);
  });

  test('are counted right only in isolation read committed, and no other is taken', async () => {
    const client = await database.connect('wallet_sync_service');
    await client.query('begin isolation level repeatable read');
    await expect(client.query("select wallet_sync.exchange_rate_places('script', 5, 1020, 15000, gen_random_uuid(), 1, 1000, '{}', '{}', '{}')")).rejects.toThrow(/read committed/);
  });
});

describe('the order', () => {
  test('an instance that waits comes before one that asks later, for all its calls', async () => {
    const first = await take(5);
    await take(2, { instance: BOB });
    await take(0, { ended: first, agoMs: HOLD_MS });
    expect(await take(5, { instance: CAT })).toMatchObject({ granted: 3, waitMs: 20 });
    expect((await take(2, { instance: BOB })).granted).toBe(2);
  });

  test('one that got some of its calls through goes to the end of the line', async () => {
    const first = await take(5);
    await take(5, { instance: BOB });
    await take(1, { instance: CAT });
    await take(0, { ended: { ...first, places: first.places.slice(0, 2), epochs: first.epochs.slice(0, 2) }, agoMs: HOLD_MS });
    expect(await take(1, { instance: CAT }), 'free places are the others\' turn').toMatchObject({ granted: 0, waitMs: 20 });
    expect((await take(5, { instance: BOB })).granted).toBe(2);
    await take(0, { ended: { ...first, places: first.places.slice(2), epochs: first.epochs.slice(2) }, agoMs: HOLD_MS });
    expect((await take(3, { instance: BOB })).granted).toBe(2);
    expect((await take(1, { instance: CAT })).granted).toBe(1);
  });

  test('one that asks for all takes no more than its share at a time while others wait', async () => {
    const first = await take(5);
    await take(5, { instance: BOB });
    await take(1, { instance: CAT });
    await take(0, { ended: first, agoMs: HOLD_MS });
    expect((await take(5, { instance: BOB })).granted).toBe(3);
    expect((await take(1, { instance: CAT })).granted).toBe(1);
    expect((await take(2, { instance: BOB })).granted).toBe(1);
  });

  test('one that doesn\'t look again has lost its turn', async () => {
    const first = await take(5);
    await take(5, { instance: BOB });
    await take(0, { ended: first, agoMs: HOLD_MS });
    expect((await take(5, { instance: CAT })).granted).toBe(0);
    await age(1_000);
    expect((await take(5, { instance: CAT })).granted).toBe(5);
    expect(await database.asOwner('select instance from wallet_sync.rate_waiting')).toEqual([]);
  });
});

describe('a pause', () => {
  const pause = (ms: number, kind = 'script') => database.journal.query('select wallet_sync.pause_rate($1, $2)', [kind, ms]);

  test('is everybody\'s, of its kind, and a longer one stays', async () => {
    await pause(30_000);
    await pause(10);
    await pause(30_000, 'read');
    expect(await take(1)).toMatchObject({ granted: 0 });
    const { granted, waitMs } = await take(1, { instance: BOB });
    expect(granted).toBe(0);
    expect(waitMs).toBeGreaterThan(29_000);
    await age(30_000);
    expect((await take(1, { instance: BOB })).granted).toBe(1);
  });
});

describe('the gate', () => {
  const SCALE = { holdMs: 420, windowMs: 400 };
  const gateOf = (db: Db, rates: Partial<Record<CallKind, number>> = {}, holdMs = HOLD_MS): RatePlaces<CallKind> =>
    createRatePlaces(db, { rates: { script: 5, transaction: 50, event: 30, read: 100, ...rates }, holdMs, callTimeoutMs: 10_000 });

  interface Call {
    readonly start: number;
    readonly end: number;
  }

  /** The most calls that a server can have seen in one window, if each arrives at the worst moment of its life. */
  const most = (calls: readonly Call[], windowMs: number): number =>
    Math.max(...calls.map((one) => calls.filter((other) => other.start <= one.start && other.end > one.start - windowMs).length));

  // Held for 0.42 s instead of 1.02, so that it is done sooner.
  test('never lets more calls into a window than the rate, whatever it is, with several instances and calls of any length', async () => {
    const lane = fc.record({
      rate: fc.constantFrom(0.5, 1, 2, 4.5, 7, 20),
      lengths: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.tuple(lane, lane, lane, lane), async (lanes) => {
        await database.asOwner('truncate wallet_sync.rate_place, wallet_sync.rate_waiting, wallet_sync.rate_limit');
        const rates = Object.fromEntries(CALL_KINDS.map((kind, i) => [kind, lanes[i]!.rate]));
        const gates = Array.from({ length: 3 }, () => gateOf(database.journal, rates, SCALE.holdMs));
        await Promise.all(
          lanes.map(async ({ rate, lengths }, i) => {
            const calls: Call[] = [];
            await Promise.all(
              lengths.slice(0, Math.ceil(rate * 3)).map(async (length, n) => {
                const leave = await gates[n % 3]!.enter(CALL_KINDS[i]!);
                const start = performance.now();
                await new Promise((resolve) => setTimeout(resolve, length));
                calls.push({ start, end: performance.now() });
                await leave();
              }),
            );
            expect(most(calls, SCALE.windowMs * Math.max(1, 1 / rate))).toBeLessThanOrEqual(Math.max(1, Math.floor(rate)));
          }),
        );
        // Ends are told up to 250 ms later, with the rate of this round: told in the next one, it would count there for a minute.
        await until(10_000, async () => (await database.asOwner("select from wallet_sync.rate_place where ends_at > clock_timestamp() + interval '5 s'")).length === 0);
      }),
      { numRuns: 6 },
    );
  });

  test('is left without a statement of its own while calls go on, and in time when none follows', async () => {
    let statements = 0;
    const counting: Db = { query: (text, values) => (statements++, database.journal.query(text, values)) };
    const gate = gateOf(counting);
    for (let i = 0; i < 20; i++) {
      await (await gate.enter('read'))();
      // What the caller does meanwhile: some ms.
      for (let n = 0; n < 20; n++) await database.journal.query('select');
    }
    // One each, and a few where this machine is slow; told at once they would be 40.
    expect(statements).toBeLessThanOrEqual(30);
    await until(1_000, async () => (await database.asOwner("select from wallet_sync.rate_place where ends_at > clock_timestamp() + interval '5 s'")).length === 0);
  });

  test('lets one instance that asks a little through beside one that asks for all', async () => {
    const [greedy, modest] = [gateOf(database.journal), gateOf(database.journal)];
    let isOver = false;
    const crowd = Array.from({ length: 5 }, async () => {
      while (!isOver) await (await greedy.enter('script'))();
    });
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const asked = performance.now();
      await (await modest.enter('script'))();
      waits.push(performance.now() - asked);
    }
    isOver = true;
    await Promise.all(crowd);
    expect(Math.max(...waits)).toBeLessThan(1.9 * HOLD_MS);
  });

  test('does not open when the database does not answer: the call fails as `network`', async () => {
    const proxy = await startPostgresProxy(database.postgres);
    const journal = openJournal({ connectionString: proxy.through(database.postgres.url('postgres')), log: createLog({ level: 'silent', pretty: false }) });
    try {
      const gate = gateOf(journal);
      await (await gate.enter('script'))();
      await proxy.stop();
      await expect(gate.enter('script')).rejects.toMatchObject({ kind: 'network' });
      await expect(gate.pause('script', 1)).rejects.toMatchObject({ kind: 'network' });
    } finally {
      await journal.close();
    }
  });

  test('does not open on an answer so late that the call could outlive its lease', async () => {
    // Only the clock that measures the answer's way is virtual.
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const holder = await database.connect('postgres');
      await holder.query('begin');
      await holder.query('lock table wallet_sync.rate_place in access exclusive mode');
      const entered = gateOf(database.journal).enter('script');
      const failed = expect(entered).rejects.toMatchObject({ kind: 'network', message: expect.stringMatching(/^took \d+ ms to answer$/) as string });
      await until(10_000, async () => (await database.asOwner("select from pg_stat_activity where wait_event_type = 'Lock'")).length > 0);
      vi.advanceTimersByTime(MARGIN_MS + 1);
      await holder.query('rollback');
      await failed;
    } finally {
      vi.useRealTimers();
    }
  });
});
