import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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
    // A seal can come before the first look: here none is shown.
    world.stack.accessNode.faults.pendingForEver(point === 'before seal');
    for (let time = 0; time < TIMES; time++) {
      // A folder of its own: a killed writer's lock on the common one holds for 10 s.
      const settings = { ...SETTINGS, ACCOUNTS_DIR: join(world.stack.folder, `${point} ${time}`) };
      const daemon = world.daemon(settings, { dieAt: { point, hit: 1 + (time % passes) } });
      expect(await daemon.ended).toMatchObject({ signal: 'SIGKILL' });
    }
    world.stack.accessNode.faults.clear();
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

  it('after a restart every user has one account on chain with the stored key, was funded once, and the account equation holds, and the configuration names them all', async () => {
    const daemon = world.daemon(SETTINGS);
    const users = await signUps.stop();
    await expectExactlyOneWalletEach(world, users);
    await daemon.stop();
    const { accounts } = JSON.parse(await readFile(join(world.stack.env()['ACCOUNTS_DIR'] ?? '', 'flow-production.json'), 'utf8')) as { accounts: Record<string, unknown> };
    expect(Object.keys(accounts).sort()).toEqual(users.map((user) => user.authId).sort());
  });
});
