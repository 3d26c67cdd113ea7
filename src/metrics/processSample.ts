import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What the process uses. Ratios are of one core. */
export interface ProcessSample {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly cpuSeconds: number;
  /** Over the last whole window. */
  readonly cpuRatio: number;
  /** The 99th percentile of the last whole window, and its worst. */
  readonly lagMs: number;
  readonly worstLagMs: number;
  readonly uptimeSeconds: number;
}

export interface ProcessSampler {
  sample(): ProcessSample;
  stop(): void;
}

const WINDOW_MS = 10_000;
/** The delay between two ticks is measured; this much of it is meant. Twenty ms woke an idle process 50 times a second, a quarter of all it did; a stall of 100 is seen as before, a shorter one where a tick fell into it. */
const RESOLUTION_MS = 100;
const NS_PER_MS = 1e6;

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Watches the process in windows of 10 s, so that any number of readers see the same. Keeps no process alive. */
export function startProcessSampler(): ProcessSampler {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const lateBy = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  const beginning = { at: performance.now(), cpu: cpuSeconds() };
  let begun = beginning;
  let last: { cpuRatio: number; lagMs: number; worstLagMs: number } | null = null;
  const measure = () => ({
    cpuRatio: (cpuSeconds() - begun.cpu) / Math.max(0.001, (performance.now() - begun.at) / 1_000),
    // Without a single tick yet it is NaN.
    lagMs: delay.count === 0 ? 0 : lateBy(delay.percentile(99)),
    worstLagMs: delay.count === 0 ? 0 : lateBy(delay.max),
  });
  const timer = setInterval(() => {
    last = measure();
    begun = { at: performance.now(), cpu: cpuSeconds() };
    delay.reset();
  }, WINDOW_MS);
  timer.unref();
  return {
    sample() {
      const { rss, heapUsed } = process.memoryUsage();
      return { rssBytes: rss, heapBytes: heapUsed, cpuSeconds: cpuSeconds(), uptimeSeconds: process.uptime(), ...(last ?? measure()) };
    },
    stop() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
