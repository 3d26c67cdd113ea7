import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUpMany } from '../../../dev/signUp.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world.stop());

const notify = (payload: string) => world.stack.postgres.query('postgres', `notify wallet_sync_control, '${payload}'`);
const paused = async () => (await world.stack.servicePool.query<{ paused: boolean }>('select paused from wallet_sync.control')).rows[0]?.paused;

it('NOTIFY from psql: resync sweeps once though two instances hear it, pause holds across a restart, resume lets those who waited have their wallets', async () => {
  const daemons = [world.daemon(), world.daemon()];
  await Promise.all(daemons.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
  const sweeps = () => daemons.flatMap((daemon) => daemon.lines).filter((line) => line.msg === 'sweep done' && line['reason'] === 'resync').length;
  await notify('resync');
  // Behind the first sweep, where it comes in the middle of that.
  await until(40_000, () => Promise.resolve(sweeps() === 1));

  await notify('pause');
  await until(10_000, async () => (await paused()) === true);
  await Promise.all(daemons.map((daemon) => daemon.logged((line) => line.msg === 'paused')));
  await Promise.all(daemons.map((daemon) => daemon.stop()));
  const signUps = await signUpMany(world.stack.authPool, 3);

  const next = world.daemon();
  await sourceIs(next, 'notify', 'ok');
  await next.logged((line) => line['step'] === 'listening');
  expect(await paused()).toBe(true);
  expect(next.lines.some((line) => line.msg === 'wallet ready')).toBe(false);
  await notify('resume');
  await world.ready(signUps);
  expect(sweeps()).toBe(1);
  await next.stop();
});

it('an unknown command is logged with the list of known ones, and dropped', async () => {
  const daemon = world.daemon();
  await sourceIs(daemon, 'notify', 'ok');
  await notify('restart everything');
  const line = await daemon.logged((each) => JSON.stringify(each).includes('resync:<auth_id>'));
  expect(line).toBeDefined();
  await daemon.stop();
});
