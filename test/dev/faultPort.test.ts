import { expect, it } from 'vitest';
import { createFaultPort, FAULT_POINTS, type FaultPlan } from '../../dev/faultPort.js';
import type { FaultPoint } from '../../src/faultPoints.js';

/** Passes the points in order and tells what happened; a passing that does not come back is `stays`. */
async function pass(plan: FaultPlan, points: readonly FaultPoint[]): Promise<string[]> {
  const told: string[] = [];
  const port = createFaultPort(plan, { die: () => void told.push('dies'), held: (point) => void told.push(`held at ${point}`) });
  for (const point of points) told.push(await Promise.race([port.at(point).then(() => 'goes on'), Promise.resolve().then(() => Promise.resolve()).then(() => 'stays')]));
  return told;
}

it('without a plan every point is passed', async () => {
  expect(await pass({}, FAULT_POINTS)).toEqual(FAULT_POINTS.map(() => 'goes on'));
});

it('the process dies at the n-th passing of its point, and whoever was there does not come back', async () => {
  expect(await pass({ dieAt: { point: 'sealed', hit: 2 } }, ['sealed', 'settled', 'sealed', 'sealed'])).toEqual(['goes on', 'goes on', 'dies', 'stays', 'goes on']);
  expect(await pass({ dieAt: { point: 'assigned' } }, ['assigned'])).toEqual(['dies', 'stays']);
});

it('who is held stays, others and later ones go on', async () => {
  expect(await pass({ holdAt: { point: 'before send' } }, ['key stored', 'before send', 'before send'])).toEqual(['goes on', 'held at before send', 'stays', 'goes on']);
});
