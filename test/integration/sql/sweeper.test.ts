import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { heartbeat, stopInstance } from '../../../src/journal/instances.js';
import { asSweeper, leaseSweep, releaseSweep } from '../../../src/journal/sweeper.js';
import { startDatabase, type Database } from '../../support/database.js';

let database: Database;
let ann: string;
let bob: string;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  [ann, bob] = [await database.instance(), await database.instance()];
});

const endLease = () => database.asOwner("update wallet_sync.sweeper set lease_until = clock_timestamp() - interval '1 ms' where leased_by is not null");
const lease = async (instanceId: string) => ({ instanceId, epoch: (await leaseSweep(database.journal, instanceId))! });

test('one instance sweeps at a time', async () => {
  const leases = await Promise.all(Array.from({ length: 8 }, (_, i) => leaseSweep(database.journal, i % 2 === 0 ? ann : bob)));
  expect(leases.filter((epoch) => epoch !== null).length).toBe(1);
});

test('an instance that froze beyond its lease changes nothing when it wakes: neither before another sweeps, nor after', async () => {
  const old = await lease(ann);
  await endLease();
  let steps = 0;
  const step = () => Promise.resolve(++steps);
  expect(await asSweeper(database.journal, old, step)).toBe(null);
  await heartbeat(database.journal, ann, {});
  expect(await asSweeper(database.journal, old, step), 'a heartbeat renews no lease that has ended').toBe(null);
  const taken = await lease(bob);
  expect(taken.epoch).toBe(old.epoch + 1);
  expect(await asSweeper(database.journal, old, step)).toBe(null);
  await releaseSweep(database.journal, old);
  expect(await asSweeper(database.journal, taken, step)).toBe(1);
});

test('a heartbeat renews the lease, and an instance that stops in order gives it back', async () => {
  const held = await lease(ann);
  await database.asOwner("update wallet_sync.sweeper set lease_until = clock_timestamp() + interval '1 s'");
  await heartbeat(database.journal, ann, {});
  expect(await database.asOwner("select lease_until > clock_timestamp() + interval '5 s' as renewed from wallet_sync.sweeper")).toEqual([{ renewed: true }]);
  await stopInstance(database.journal, ann, {});
  expect(await leaseSweep(database.journal, bob)).toBe(held.epoch + 1);
});
