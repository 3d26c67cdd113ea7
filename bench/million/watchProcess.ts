import { readFile } from 'node:fs/promises';
import { processTicks, TICK_MS } from '../frame/processTime.js';

const SAMPLE_MS = 200;

export interface ProcessWatch {
  /** The largest resident set so far, in bytes: of all samples, and what the kernel itself noted between them. NaN where the system doesn't tell. */
  peakMemory(): number;
  /** Processor time so far, in milliseconds. */
  cpuMs(): number;
  /** Samples taken. */
  samples(): number;
  stop(): void;
}

/** Watches a process's resident set and processor time (Linux). */
export function watchProcess(pid: number): ProcessWatch {
  let peak = Number.NaN;
  let ticks = 0;
  let samples = 0;
  const sample = async (): Promise<void> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    ticks = Math.max(ticks, await processTicks(pid).catch(() => 0));
    // A process that has ended but was not waited for has no such lines any more.
    const found = [/^VmRSS:\s+(\d+) kB/m, /^VmHWM:\s+(\d+) kB/m].map((line) => Number(line.exec(status)?.[1]) * 1_024).filter((bytes) => bytes > 0);
    if (found.length === 0) return;
    samples += 1;
    peak = Math.max(Number.isNaN(peak) ? 0 : peak, ...found);
  };
  const timer = setInterval(() => void sample(), SAMPLE_MS);
  void sample();
  return { peakMemory: () => peak, cpuMs: () => ticks * TICK_MS, samples: () => samples, stop: () => clearInterval(timer) };
}
