import { afterAll, beforeAll, expect, it } from 'vitest';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

const SETTINGS = { REALTIME: 'off', POOL_SIZE: '5' };

it('instances restarted together with another PROVISION after all were killed do not take one another for the dead ones', async () => {
  const first = world.daemon({ ...SETTINGS, PROVISION: 'all' });
  await sourceIs(first, 'notify', 'ok');
  first.kill('SIGKILL');
  await first.ended;
  const next = [world.daemon({ ...SETTINGS, PROVISION: 'confirmed' }), world.daemon({ ...SETTINGS, PROVISION: 'confirmed' })];
  await Promise.all(next.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
  for (const daemon of next) await daemon.stop();
});

it('an instance that differs from a living one does not start, and says what mends it', async () => {
  const first = world.daemon({ ...SETTINGS, PROVISION: 'all' });
  await sourceIs(first, 'notify', 'ok');
  const other = await world.daemon({ ...SETTINGS, PROVISION: 'confirmed' }).ended;
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/PROVISION=confirmed.*PROVISION=all/);
  await first.stop();
});
