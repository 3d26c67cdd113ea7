import { readFile } from 'node:fs/promises';

const SAMPLE_MS = 200;

export interface MemoryWatch {
  /** The largest resident set so far, in bytes: of all samples, and what the kernel itself noted between them. NaN where the system doesn't tell. */
  peak(): number;
  /** Samples taken. */
  samples(): number;
  stop(): void;
}

/** Watches a process's resident set (Linux). */
export function watchMemory(pid: number): MemoryWatch {
  let peak = Number.NaN;
  let samples = 0;
  const sample = async (): Promise<void> => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    // A process that has ended but was not waited for has no such lines any more.
    const found = [/^VmRSS:\s+(\d+) kB/m, /^VmHWM:\s+(\d+) kB/m].map((line) => Number(line.exec(status)?.[1]) * 1_024).filter((bytes) => bytes > 0);
    if (found.length === 0) return;
    samples += 1;
    peak = Math.max(Number.isNaN(peak) ? 0 : peak, ...found);
  };
  const timer = setInterval(() => void sample(), SAMPLE_MS);
  void sample();
  return { peak: () => peak, samples: () => samples, stop: () => clearInterval(timer) };
}
