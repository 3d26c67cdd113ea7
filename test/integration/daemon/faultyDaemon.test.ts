import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultsOf } from '../../../dev/audit.js';
import type { FaultPoint } from '../../../src/faultPoints.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world.stop());

const SETTINGS = { POOL_SIZE: '2', BACKLOG_POLL: '1' };

const broadcasts = (): number => world.stack.accessNode.stats().transaction.calls;

interface Counts {
  readonly live: number;
  readonly open: number;
  readonly free: number;
}

async function counts(): Promise<Counts> {
  const { rows } = await world.stack.servicePool.query<Counts>(
    `select (select count(*)::integer from wallet_sync.transaction where state = 'live') as live, (count(*) filter (where state in ('prepared', 'submitted')))::integer as open,
       (count(*) filter (where state = 'free'))::integer as free from wallet_sync.account`,
  );
  return rows[0]!;
}

it('a daemon dies, is held, or loses an answer exactly where it is told to, and the next one leaves nothing of it on chain or in the journal', async () => {
  const dying = world.daemon(SETTINGS, { dieAt: { point: 'before send' } });
  const users = await world.signUps(3);
  expect(await dying.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  expect((await counts()).live).toBeGreaterThan(0);
  expect(broadcasts()).toBe(0);
  expect(world.daemonsAlive()).toEqual([]);

  const held = world.daemon(SETTINGS, { holdAt: { point: 'before send' } });
  users.push(...(await world.signUps(3)));
  expect(await held.logged((line) => line.msg === 'held at a fault point')).toMatchObject({ point: 'before send' });
  expect(world.daemonsAlive()).toEqual([held]);
  held.kill('SIGKILL');
  await held.ended;

  const hold = world.stack.accessNode.faults.holdAnswers('transaction');
  const killed = world.daemon(SETTINGS);
  users.push(...(await world.signUps(3)));
  await hold.delivered;
  killed.kill('SIGKILL');
  await killed.ended;
  hold.release();

  const next = world.daemon(SETTINGS);
  await world.ready(users);
  await until(60_000, async () => {
    const { live, open, free } = await counts();
    return live === 0 && open === 0 && free >= Number(SETTINGS.POOL_SIZE);
  });
  await next.stop();
  const audit = await world.audit();
  expect(faultsOf(audit)).toEqual({});
  expect(audit.accountsOwned).toBe(audit.accountsOnChain);
  expect(audit.accountsOwned).toBeGreaterThanOrEqual(users.length);
});

it('a fault point that is none, or a hit that is no count, is used wrongly', async () => {
  const none = world.daemon(SETTINGS, { dieAt: { point: 'nowhere' as FaultPoint } });
  const never = world.daemon(SETTINGS, { dieAt: { point: 'sealed', hit: 0 } });
  expect(await none.ended).toMatchObject({ code: 2, stderr: expect.stringContaining('key stored') as string });
  expect((await never.ended).code).toBe(2);
});
