import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUp } from '../../dev/signUp.js';
import { startStack, type Stack } from '../../dev/stack.js';
import { until } from '../support/daemonWorld.js';
import { startInProcess, type InProcess } from '../support/inProcess.js';

let stack: Stack;
let ann: InProcess;

beforeAll(async () => {
  stack = await startStack({ blockTimeMs: 200, funders: 1 });
  ann = await startInProcess(stack);
});
afterAll(async () => {
  await ann?.stop();
  await stack?.stop();
});

it('a stop waits for the batch that is being built: it is recorded and followed, and nothing stays unsent', async () => {
  await signUp(stack.authPool);
  const building = ann.maker.startBatches();
  await ann.maker.stop();
  expect(ann.follower.unsettled()).toHaveLength(1);
  await building;
  await until(60_000, async () => (await stack.servicePool.query("select from wallet_sync.account where state = 'free'")).rowCount === 1);
  expect((await stack.servicePool.query('select from wallet_sync.reservation')).rowCount).toBe(0);
});
