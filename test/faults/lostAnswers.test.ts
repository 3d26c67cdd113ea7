import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../dev/daemon.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { lasting } from './lasting.js';
import { expectExactlyOneWalletEach } from './rest.js';
import { nodeIs, statusShows } from './status.js';

let world: DaemonWorld;
let daemon: Daemon;
beforeAll(async () => {
  world = await startDaemonWorld();
  daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off' });
  await sourceIs(daemon, 'notify', 'ok');
});
afterEach(() => world.stack.accessNode.faults.clear());
afterAll(() => world?.stop());

describe('with sign-ups going on, nobody gets two accounts and none is lost', () => {
  it('where the answer to every broadcast is lost after its delivery', async () => {
    world.stack.accessNode.faults.dropAnswerAfterDelivery(Infinity, 'transaction');
    const stream = signUpsGoOn(world);
    const crowd = await world.signUps(30);
    await world.ready(crowd);
    await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
    expect(daemon.lines.some((line) => line.msg === 'broadcast not confirmed')).toBe(true);
  });

  it('where the answers to 40 calls of any kind are lost after their delivery', async () => {
    world.stack.accessNode.faults.dropAnswerAfterDelivery(40);
    const stream = signUpsGoOn(world);
    const crowd = await world.signUps(30);
    await world.ready(crowd);
    await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
  });

  it('where every broadcast is delivered twice', async () => {
    world.stack.accessNode.faults.duplicate(Infinity);
    const stream = signUpsGoOn(world);
    const crowd = await world.signUps(30);
    await world.ready(crowd);
    await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
  });

  it.each([429, 503])('where every call is answered %i for 5 s: status shows the access node down, then all are served', async (code) => {
    const stream = signUpsGoOn(world);
    const crowd = await world.signUps(30);
    await daemon.logged((line) => line.msg === 'transaction recorded');
    const fiveSeconds = lasting(5_000);
    const before = world.stack.accessNode.stats().read.calls;
    world.stack.accessNode.faults.answer(code, Infinity);
    await fiveSeconds;
    // A refusal pauses its whole kind for a second; without, a look at the sealed height follows each 0.2 s.
    if (code === 429) expect(world.stack.accessNode.stats().read.calls - before).toBeLessThanOrEqual(15);
    await statusShows(world, nodeIs('down'));
    world.stack.accessNode.faults.clear();
    await statusShows(world, nodeIs('ok'));
    await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
  });
});
