import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oldestFirst, type Answer, type Listed, type Walk } from '../../src/users/oldestFirst.js';
import { createRandom } from '../support/random.js';

const SEED = 20_261_127;

/** A list by page numbers, as the Auth server answers: newest first, rows of one instant in an order of its own each time. */
function createList(seed: number, count: number, sameInstant: number, cap = Infinity) {
  const random = createRandom(seed);
  let now = 1_000;
  let ids = 0;
  const rows: Listed[] = [];
  const arrive = (): void => {
    if (random() >= sameInstant) now += 1 + Math.floor(random() * 3);
    rows.push({ id: String((ids += 1)).padStart(8, '0'), instant: now });
  };
  const leave = (): void => {
    if (rows.length > 0) rows.splice(Math.floor(random() * rows.length), 1);
  };
  for (let each = 0; each < count; each += 1) arrive();
  let requests = 0;
  return {
    rows,
    arrive,
    leave,
    random,
    requests: () => requests,
    /** `between`: what happens between the count and the rows. */
    answer(page: number, perPage: number, between: () => void = () => undefined): Answer<Listed> {
      requests += 1;
      if (requests > 2_000) throw new Error('the walk does not end');
      const size = Math.min(perPage, cap);
      const total = rows.length;
      between();
      const shuffled = rows.map((row) => ({ row, order: random() }));
      shuffled.sort((a, b) => b.row.instant - a.row.instant || a.order - b.order);
      return { rows: shuffled.slice((page - 1) * size, page * size).map(({ row }) => row), total };
    },
  };
}

const WALK: Walk = { pageSize: 50, largestPage: 400, after: -Infinity };

async function readAll(list: ReturnType<typeof createList>, happens: () => void = () => undefined, walk: Walk = WALK): Promise<Listed[]> {
  const read: Listed[] = [];
  const ask = (page: number, size: number): Promise<Answer<Listed>> => {
    happens();
    return Promise.resolve(list.answer(page, size, () => list.random() < 0.2 && happens()));
  };
  for await (const group of oldestFirst(ask, walk)) read.push(...group);
  return read;
}

function expectWhole(read: readonly Listed[], thereAllTheTime: readonly Listed[]): void {
  const ids = read.map((row) => row.id);
  expect(new Set(ids).size).toBe(ids.length);
  const known = new Set(ids);
  expect(thereAllTheTime.filter((row) => !known.has(row.id))).toEqual([]);
  expect(read.every((row, index) => index === 0 || read[index - 1]!.instant <= row.instant)).toBe(true);
}

const scenario = fc.record({
  seed: fc.integer(),
  count: fc.integer({ min: 0, max: 500 }),
  sameInstant: fc.constantFrom(0, 0.3, 0.8),
  arrivals: fc.integer({ min: 0, max: 2 }),
  leavers: fc.integer({ min: 0, max: 3 }),
  bursts: fc.constantFrom(0, 0.03),
  cap: fc.constantFrom(Infinity, Infinity, 40, 25),
});

describe('the walk from the oldest', () => {
  it('misses nobody who is there all the time, and gives nobody twice, whoever arrives or leaves', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ seed, count, sameInstant, arrivals, leavers, bursts, cap }) => {
        const list = createList(seed, count, cap < Infinity ? 0 : sameInstant, cap);
        const there = [...list.rows];
        const read = await readAll(list, () => {
          const many = list.random() < bursts ? 20 : 1;
          for (let each = Math.floor(list.random() * (arrivals + 1)) * many; each > 0; each -= 1) list.arrive();
          for (let each = Math.floor(list.random() * (leavers + 1)) * many; each > 0; each -= 1) list.leave();
        });
        const still = new Set(list.rows);
        expectWhole(read, there.filter((row) => still.has(row)));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('goes on after any instant, and misses nobody', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 600 }), fc.double({ min: 0, max: 1, noNaN: true }), async (seed, count, share) => {
        const list = createList(seed, count, 0.3);
        const after = list.rows[Math.min(count - 1, Math.floor(share * count))]!.instant;
        const read = await readAll(list, undefined, { ...WALK, after });
        expect(read.map((row) => row.id).toSorted()).toEqual(list.rows.filter((row) => row.instant > after).map((row) => row.id).toSorted());
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('asks once where one page holds all, and for hardly more than all rows otherwise', async () => {
    const few = createList(SEED, 49, 0);
    expect(await readAll(few)).toHaveLength(49);
    expect(few.requests()).toBe(1);
    const many = createList(SEED, 10_000, 0);
    expect(await readAll(many, undefined, { ...WALK, pageSize: 1_000 })).toHaveLength(10_000);
    expect(many.requests()).toBeLessThanOrEqual(15);
  });

  it('finds its place in the middle of a long list in a few requests', async () => {
    const list = createList(SEED, 20_000, 0);
    const read = await readAll(list, undefined, { ...WALK, pageSize: 50, after: list.rows[19_000]!.instant });
    expect(read).toHaveLength(999);
    expect(list.requests()).toBeLessThan(60);
  });

  it('ends near 1,000,000 users, without an answer that wins little', async () => {
    // By arithmetic alone: rows are their own places.
    const total = 1_000_000;
    let [requests, given] = [0, 0];
    const ask = (page: number, size: number): Promise<Answer<Listed>> => {
      requests += 1;
      const start = (page - 1) * size;
      const rows = Array.from({ length: Math.max(0, Math.min(size, total - start)) }, (_, index) => ({ id: '', instant: total - start - index }));
      return Promise.resolve({ rows, total });
    };
    for await (const group of oldestFirst(ask, { pageSize: 50, largestPage: 400, after: -Infinity })) {
      given += group.length;
      if (given > 60_000) break;
    }
    expect(given / requests).toBeGreaterThan(30);
  });

  it('reads many rows of one instant in a page that is large enough', async () => {
    const list = createList(SEED, 30, 0);
    for (let each = 0; each < 150; each += 1) list.rows.push({ id: `same-${each}`, instant: 5_000 });
    for (let each = 0; each < 30; each += 1) list.rows.push({ id: `new-${each}`, instant: 6_000 + each });
    const there = [...list.rows];
    expectWhole(await readAll(list), there);
  });

  it('says so where rows of one instant are more than a page can hold', async () => {
    const list = createList(SEED, 30, 0);
    for (let each = 0; each < 1_000; each += 1) list.rows.push({ id: `same-${each}`, instant: 5_000 });
    for (let each = 0; each < 30; each += 1) list.rows.push({ id: `new-${each}`, instant: 6_000 + each });
    await expect(readAll(list)).rejects.toMatchObject({ kind: 'data', mend: 'set USER_SOURCE=postgres', message: expect.stringContaining('have one created_at') as string });
  });

  it('says so where the server caps its pages below the rows of one instant', async () => {
    const list = createList(SEED, 90, 0, 25);
    for (let each = 0; each < 40; each += 1) list.rows.push({ id: `same-${each}`, instant: 5_000 });
    for (let each = 0; each < 30; each += 1) list.rows.push({ id: `new-${each}`, instant: 6_000 + each });
    await expect(readAll(list)).rejects.toMatchObject({ kind: 'data', message: expect.stringContaining('in pages of 25') as string });
  });

  it('says so where the server caps its pages so low that no page reaches beyond its place', async () => {
    await expect(readAll(createList(SEED, 90, 0, 20))).rejects.toMatchObject({ kind: 'data', message: 'it gives 20 of 90 users a page' });
  });

  it('refuses an order of another kind', async () => {
    const ask = (): Promise<Answer<Listed>> => Promise.resolve({ rows: [{ id: 'a', instant: 1 }, { id: 'b', instant: 2 }], total: 2 });
    await expect(oldestFirst(ask, WALK).next()).rejects.toMatchObject({ kind: 'data', message: 'it does not list the newest users first' });
  });

  it('gives up where nothing new ever comes', async () => {
    let now = 0;
    // All are new each time: nobody is ever seen twice.
    const ask = (_: number, size: number): Promise<Answer<Listed>> => Promise.resolve({ rows: Array.from({ length: size }, () => ({ id: 'x', instant: 1e9 - (now += 1) })), total: 1_000 });
    await expect(oldestFirst(ask, WALK).next()).rejects.toMatchObject({ kind: 'network' });
  });
});
