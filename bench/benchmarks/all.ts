import type { Benchmark } from '../frame/benchmark.js';
import { burst } from './burst.js';
import { latencyOnDemand } from './latencyOnDemand.js';
import { latencyPool } from './latencyPool.js';
import { start } from './start.js';
import { trigger } from './trigger.js';

/** Every benchmark, in the order of docs/benchmarks.md. */
export const BENCHMARKS: readonly Benchmark[] = [latencyPool, latencyOnDemand, burst, trigger, start];
