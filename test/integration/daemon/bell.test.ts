import { afterAll, beforeAll, expect, it } from 'vitest';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => void (world = await startDaemonWorld()));
afterAll(() => world?.stop());

it('sign-ups of a flood stop ringing also where nobody can be served yet, and all of them are served', async () => {
  const daemon = world.daemon({ POOL_SIZE: '0', BACKLOG_POLL: '600', CONFIG_EXPORT: 'off' });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
  const listener = await world.stack.servicePool.connect();
  let rings = 0;
  listener.on('notification', ({ payload }) => (/^[0-9a-f-]{36}$/.test(payload ?? '') ? (rings += 1) : undefined));
  await listener.query('listen wallet_sync');
  const signUps = await world.signUps(400);
  // Notifications of what is committed come before this answer.
  await listener.query('select');
  await listener.query('unlisten *');
  listener.release();
  // A NOTIFY in each commit costs 63 % of the sign-up rate.
  expect(rings).toBeLessThan(100);
  await world.ready(signUps, 120_000);
  await daemon.stop();
  expect(await world.duplicates()).toBe(0);
});
