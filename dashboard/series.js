// History samples as the columns that charts draw. No DOM here.

/** @typedef {import('./types.d.ts').History} History */
/** @typedef {Exclude<keyof import('./types.d.ts').HistorySample, 'at'>} SampleName */

/**
 * Columns of equal length. Where no sample is, because no instance ran, stands a gap instead of a line across it.
 * @param {History} history
 */
export function toColumns({ step_s, samples }) {
  /** @type {number[]} */
  const times = [];
  /** @type {(import('./types.d.ts').HistorySample | null)[]} */
  const rows = [];
  for (const sample of samples) {
    const at = Date.parse(sample.at) / 1_000;
    const before = times.at(-1);
    if (before !== undefined && at <= before) continue;
    if (before !== undefined && at - before > step_s * 1.5) {
      times.push(before + step_s);
      rows.push(null);
    }
    times.push(at);
    rows.push(sample);
  }
  /** @param {SampleName} name */
  const column = (name) => rows.map((row) => row?.[name] ?? null);
  /** @param {SampleName} name */
  const perMinute = (name) => column(name).map((value) => (value === null ? null : (value * 60) / step_s));
  return { times, column, perMinute };
}
