import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../../dev/daemon.js';
import { signUpMany } from '../../../dev/signUp.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

describe('doorbells fail silently, so nothing relies on one', () => {
  let world: DaemonWorld;
  beforeAll(async () => {
    world = await startDaemonWorld();
  });
  afterAll(() => world.stop());

  /** The start's own sweep is over and the pool full: from here on only doorbells lead to looks. */
  const settled = async (daemon: Daemon): Promise<void> => {
    await daemon.logged((line) => line.msg === 'sweep done');
    await until(30_000, async () => (await world.stack.servicePool.query("select from wallet_sync.account where state = 'free'")).rowCount === 25);
  };

  it('with LISTEN cut, all 50 sign-ups arrive by realtime', async () => {
    world.postgresProxy.faults.refuseListening(true);
    const daemon = world.daemon({ BACKLOG_POLL: '600' });
    await sourceIs(daemon, 'realtime', 'ok');
    await sourceIs(daemon, 'notify', 'down');
    await settled(daemon);
    const signUps = await signUpMany(world.stack.authPool, 50);
    await world.ready(signUps);
    expect(await world.deliveredBy(signUps)).toEqual({ realtime: 50 });
    await daemon.stop();
    world.postgresProxy.faults.refuseListening(false);
  });

  it('with Realtime joined, SUBSCRIBED and mute, all 50 arrive by notify and the canary reports it', async () => {
    world.stack.gateway.faults.muteChanges(true);
    const daemon = world.daemon({ BACKLOG_POLL: '600' });
    await sourceIs(daemon, 'notify', 'ok');
    await sourceIs(daemon, 'realtime', 'mute');
    await settled(daemon);
    const signUps = await signUpMany(world.stack.authPool, 50);
    await world.ready(signUps);
    expect(await world.deliveredBy(signUps)).toEqual({ notify: 50 });
    // The instance tells the database with its next heartbeat.
    await until(10_000, async () => {
      const { rowCount } = await world.stack.servicePool.query("select from wallet_sync.instance where stopped_at is null and statistics -> 'sources' -> 'realtime' ->> 'state' = 'mute'");
      return rowCount === 1;
    });
    await daemon.stop();
    world.stack.gateway.faults.muteChanges(false);
  });

  it('with both cut and BACKLOG_POLL=5, all 50 arrive by poll', async () => {
    world.stack.gateway.faults.refuseSockets(true);
    world.postgresProxy.faults.refuseListening(true);
    const daemon = world.daemon({ BACKLOG_POLL: '5' });
    await sourceIs(daemon, 'notify', 'down');
    await settled(daemon);
    const signUps = await signUpMany(world.stack.authPool, 50);
    await world.ready(signUps);
    expect(await world.deliveredBy(signUps)).toEqual({ poll: 50 });
    await daemon.stop();
  });

  it('and every account on chain is one user’s or the pool’s', async () => {
    expect(await world.duplicates()).toBe(0);
  });
});
