import type { FaultPoint, FaultPort } from '../src/faultPoints.js';

const KNOWN: Readonly<Record<FaultPoint, true>> = {
  'key stored': true,
  'bytes stored': true,
  'before send': true,
  'after send': true,
  'before seal': true,
  sealed: true,
  settled: true,
  assigned: true,
  'files written': true,
};

/** All of them, in the order of a wallet's life. */
export const FAULT_POINTS = Object.keys(KNOWN) as readonly FaultPoint[];

/** The n-th passing of a point by this process. */
export interface Passing {
  readonly point: FaultPoint;
  /** Default 1: the first. */
  readonly hit?: number;
}

export interface FaultPlan {
  /** The process ends there, by `die`. */
  readonly dieAt?: Passing;
  /** Who passes there stays for ever, after `held`; others, and who passes later, go on. */
  readonly holdAt?: Passing;
}

/** A port that ends or holds the process where the plan says. Whoever has reached that point never comes back from it. */
export function createFaultPort(plan: FaultPlan, acts: { die(): void; held(point: FaultPoint): void }): FaultPort {
  const passed = new Map<FaultPoint, number>();
  return {
    at(point) {
      const hit = (passed.get(point) ?? 0) + 1;
      passed.set(point, hit);
      const isDue = (passing: Passing | undefined): boolean => passing?.point === point && hit === (passing.hit ?? 1);
      if (isDue(plan.dieAt)) acts.die();
      else if (isDue(plan.holdAt)) acts.held(point);
      else return Promise.resolve();
      return new Promise(() => undefined);
    },
  };
}
