import { availableParallelism, loadavg } from 'node:os';

/** A bound for a machine that has nothing else to do, in milliseconds, as long as this one's load makes it. */
export const underLoad = (ms: number): number => ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
