import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultPoint } from '../../src/faultPoints.js';
import { startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { expectExactlyOneWalletEach } from './rest.js';
import { startSignUps, type SignUpStream } from './signUps.js';

const TIMES = 5;
/** Each point, and how often it may be passed before the process dies there: files are written seldom. */
const POINTS: readonly [name: string, point: FaultPoint, passes?: number][] = [
  ['with keys stored', 'key stored'],
  ['with signed bytes stored', 'bytes stored'],
  ['before a broadcast', 'before send'],
  ["after a broadcast's answer", 'after send'],
  ['before a seal', 'before seal'],
  ['with a seal read and not recorded', 'sealed'],
  ['with a seal recorded and nothing given', 'settled'],
  ['with an account given and no file written', 'assigned'],
  ['with the files written', 'files written', 1],
];
/** Small enough that each start has accounts to make. */
const SETTINGS = { POOL_SIZE: '8', REALTIME: 'off' };

let world: DaemonWorld;
let signUps: SignUpStream;

beforeAll(async () => {
  // A dead instance's slots are free again after its lease of 10 s: enough of them that each start finds some.
  world = await startDaemonWorld({ funders: 20 });
  signUps = startSignUps(world.stack.authPool, 150);
});
afterAll(() => world?.stop());

describe('killed with SIGKILL, sign-ups going on', () => {
  it.each(POINTS)(`${TIMES} times %s: nobody has two accounts, none is lost`, async (_, point, passes = 3) => {
    for (let time = 0; time < TIMES; time++) {
      const daemon = world.daemon(SETTINGS, { dieAt: { point, hit: 1 + (time % passes) } });
      expect(await daemon.ended).toMatchObject({ signal: 'SIGKILL' });
    }
    expect(await world.duplicates()).toBe(0);
  });

  it(`${TIMES} times after a broadcast was delivered and before its answer: nobody has two accounts, none is lost`, async () => {
    for (let time = 0; time < TIMES; time++) {
      const hold = world.stack.accessNode.faults.holdAnswers('transaction');
      const daemon = world.daemon(SETTINGS);
      await hold.delivered;
      daemon.kill('SIGKILL');
      await daemon.ended;
      hold.release();
    }
    expect(await world.duplicates()).toBe(0);
  });

  it('after a restart every user has one account on chain with the stored key, was funded once, and the account equation holds', async () => {
    const daemon = world.daemon(SETTINGS);
    await expectExactlyOneWalletEach(world, await signUps.stop());
    await daemon.stop();
  });
});
