import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { AppError } from '../../src/errors.js';
import { FUZZ_SEED } from './random.js';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** For a test of 10,000 inputs, in milliseconds: 1 to 3 s alone on the machine. */
export const FUZZ_TIMEOUT_MS = 300_000;

/** Inputs of each entry; FUZZ_RUNS=… tries more, or a few at once. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10_000);
/** Of the processor, for one input: hundreds of times what any takes, a tenth of what would be felt. */
const CPU_MS = 500;
/** What all inputs together may leave behind; one kept kilobyte an input is seen. */
const LEFT_BYTES = 24_000_000;

export interface FuzzOptions {
  readonly runs?: number;
  /** How many inputs one run stands for, where `take` hands over several. */
  readonly inputsARun?: number;
  readonly leftBytes?: number;
}

/**
 * Hands 10,000 inputs to an entry. It may answer, or refuse with an AppError that can be shown and stored; whatever else it throws, too much time for one input, or
 * memory that stays behind fails, with fast-check's seed and the smallest input.
 */
export async function fuzz<T>(inputs: fc.Arbitrary<T>, take: (input: T) => unknown, { runs = RUNS, inputsARun = 1, leftBytes = LEFT_BYTES }: FuzzOptions = {}): Promise<void> {
  const before = await held();
  const one = async (input: T): Promise<void> => {
    const began = process.cpuUsage();
    try {
      const taken = take(input);
      if (taken instanceof Promise) await taken;
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      if (thrown.message.length > 20_000 || /(?![\n\t])\p{Cc}|\p{Cs}/u.test(thrown.message)) throw new Error(`a refusal that can't be shown or stored: ${JSON.stringify(thrown.message.slice(0, 200))}`, { cause: thrown });
      if (thrown.kind === 'internal') throw new Error(`refused as a fault of this program: ${thrown.message}`, { cause: thrown });
    }
    const { user, system } = process.cpuUsage(began);
    if (user + system > CPU_MS * 1_000 * inputsARun) throw new Error(`one input took ${Math.round((user + system) / 1_000)} ms of the processor`);
  };
  await fc.assert(fc.asyncProperty(inputs, one), { seed: FUZZ_SEED, numRuns: Math.ceil(runs / inputsARun) });
  const left = (await held()) - before;
  if (left > leftBytes) throw new Error(`${Math.round(left / 1_000_000)} MB stayed behind`);
}

/** Buffers are freed behind a collection, by another thread: it is waited for. */
async function held(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
