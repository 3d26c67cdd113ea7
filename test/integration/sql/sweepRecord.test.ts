import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endApart, readApart, setApart } from '../../../src/journal/apart.js';
import { endCycle, lastCycle, openCycle, readCycle, saveStep, type CycleStart, type Tally } from '../../../src/journal/cycles.js';
import { startDatabase, type Database } from '../../support/database.js';

let database: Database;
let ann: string;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.asOwner('delete from wallet_sync.apart');
  ann = await database.instance();
});

const start = (changes: Partial<CycleStart> = {}): CycleStart => ({ instanceId: ann, reason: 'timer', source: 'postgres', resumes: true, ...changes });
const tally = (changes: Partial<Tally> = {}): Tally => ({ counts: {}, calls: {}, errors: {}, stages: {}, ...changes });

describe('the record of a sweep', () => {
  test('adds up over its pages', async () => {
    const { id } = await openCycle(database.journal, start());
    await saveStep(database.journal, id, tally({ counts: { total_wallets: 1_000, synced_wallets: 990 }, calls: { script: 1 }, errors: { network: 2 }, stages: { user_fetch: 7 } }), 'a');
    await saveStep(database.journal, id, tally({ counts: { total_wallets: 3, waiting: 1 }, calls: { script: 2 }, errors: { 'chain-state': 1 } }), 'b');
    await saveStep(database.journal, id, tally({ counts: { wallets_created: 4 } }), null);
    await endCycle(database.journal, id);
    expect(await readCycle(database.journal, id)).toMatchObject({
      total_wallets: 1_003, synced_wallets: 990, wallets_created: 4, waiting: 1, cursor: 'b',
      calls: { script: 3 }, errors: { network: 2, 'chain-state': 1 }, stages: { user_fetch: 7 }, ended_at: expect.any(Date) as Date,
    });
    expect((await lastCycle(database.journal))?.id).toBe(id);
  });

  test('a sweep that was broken off is resumed from its last page, with its counts, by whoever comes', async () => {
    const { id } = await openCycle(database.journal, start());
    await saveStep(database.journal, id, tally({ counts: { total_wallets: 7 } }), 'page 7');
    const bob = await database.instance();
    expect(await openCycle(database.journal, start({ instanceId: bob }))).toMatchObject({ id, cursor: 'page 7', total_wallets: 7 });
  });

  test.each<[string, (id: number) => Promise<unknown>, Partial<CycleStart>]>([
    ['that has ended', (id) => endCycle(database.journal, id), {}],
    ['of another source', () => Promise.resolve(), { source: 'admin-api' }],
    ['where all is to be looked at anew', () => Promise.resolve(), { resumes: false }],
    ['that is older than an hour', (id) => database.asOwner("update wallet_sync.cycle set started_at = clock_timestamp() - interval '61 minutes' where id = $1", [id]), {}],
    ['before a later one', () => openCycle(database.journal, start({ resumes: false })), {}],
  ])('a sweep %s is not resumed', async (_, then, changes) => {
    const { id } = await openCycle(database.journal, start());
    await saveStep(database.journal, id, tally(), 'page 7');
    await then(id);
    const next = await openCycle(database.journal, start(changes));
    expect(next.id).toBeGreaterThan(id);
    expect(next.cursor).toBeNull();
  });
});

describe('a wallet set apart', () => {
  const ADDRESS = '0xf8d6e0586b0a20c7';
  const pause = async (): Promise<number> =>
    Number((await database.asOwner<{ minutes: string }>('select round(extract(epoch from next_at - clock_timestamp()) / 60) as minutes from wallet_sync.apart'))[0]?.minutes);

  test('is due after 15 minutes, then after twice as long each time, and never later than a day', async () => {
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      await setApart(database.journal, 'check', ADDRESS, 'it panics');
      pauses.push(await pause());
    }
    expect(pauses).toEqual([15, 30, 60, 120, 240, 480, 960, 1_440, 1_440]);
    expect((await readApart(database.journal, [ADDRESS])).check.get(ADDRESS)).toEqual({ reason: 'it panics', isDue: false });
    await database.asOwner('update wallet_sync.apart set next_at = clock_timestamp()');
    expect((await readApart(database.journal, [ADDRESS])).check.get(ADDRESS)?.isDue).toBe(true);
  });

  test('from its check is not apart from its repair', async () => {
    await setApart(database.journal, 'repair', ADDRESS, 'blocked');
    const { check, repair } = await readApart(database.journal, [ADDRESS, `0x${'0'.repeat(16)}`]);
    expect([check.size, repair.size]).toEqual([0, 1]);
    await endApart(database.journal, 'check', [ADDRESS]);
    expect((await readApart(database.journal, [ADDRESS])).repair.size).toBe(1);
    await endApart(database.journal, 'repair', [ADDRESS]);
    expect((await readApart(database.journal, [ADDRESS])).repair.size).toBe(0);
  });
});

