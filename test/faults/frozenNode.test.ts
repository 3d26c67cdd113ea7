import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
afterAll(() => world?.stop());

const FAULTS: readonly [name: string, break_: () => void, mend: () => void][] = [
  ['the emulator frozen (SIGSTOP)', () => world.stack.emulator.signal('SIGSTOP'), () => world.stack.emulator.signal('SIGCONT')],
  ['every connection to the access node cut', () => world.stack.accessNode.faults.cut(Infinity), () => world.stack.accessNode.faults.clear()],
  // What was sent meanwhile arrives afterwards, beside what was sent again.
  ['every call to the access node taken and kept', () => world.stack.accessNode.faults.freeze(true), () => world.stack.accessNode.faults.freeze(false)],
];

describe('for 10 s, sign-ups going on: nothing is lost or doubled, status shows the access node down, and work goes on by itself', () => {
  it.each(FAULTS)('%s', async (_, breakIt, mend) => {
    const stream = signUpsGoOn(world);
    await daemon.logged((line) => line.msg === 'accounts made');
    const tenSeconds = lasting(10_000);
    const brokenAt = Date.now();
    breakIt();
    try {
      const status = await statusShows(world, nodeIs('down'));
      // Long before a call's time-out of 10 s.
      expect(Date.parse(status.instances[0]?.access_node?.since ?? '') - brokenAt).toBeLessThan(8_000);
      await statusShows(world, (report) => report.waiting > 0 && report.live_transactions > 0);
      await tenSeconds;
    } finally {
      mend();
    }
    await statusShows(world, nodeIs('ok'));
    await expectExactlyOneWalletEach(world, await stream.stop());
  });
});
