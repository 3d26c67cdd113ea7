import type { Benchmark } from '../frame/benchmark.js';
import { burst } from './burst.js';
import { cost } from './cost.js';
import { files } from './files.js';
import { idle } from './idle.js';
import { instances } from './instances.js';
import { latencyOnDemand } from './latencyOnDemand.js';
import { latencyPool } from './latencyPool.js';
import { latencyTrigger } from './latencyTrigger.js';
import { million } from './million.js';
import { start } from './start.js';
import { sweep } from './sweep.js';
import { trigger } from './trigger.js';

/** Every benchmark, in the order of docs/benchmarks.md. */
export const BENCHMARKS: readonly Benchmark[] = [latencyPool, latencyTrigger, latencyOnDemand, burst, sweep, million, instances, idle, trigger, files, cost, start];
