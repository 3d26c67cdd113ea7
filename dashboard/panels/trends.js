// Latency and throughput over the last hours, from the minute aggregates.
import { createChart } from '../chart.js';
import { byId } from '../dom.js';
import { compact, milliseconds } from '../format.js';
import { toColumns } from '../series.js';

/** @typedef {import('../types.d.ts').History} History */

/** @param {() => void} onRange called when another time is asked for */
export function createTrends(onRange) {
  const latency = createChart(byId('latency'), {
    label: 'Time from sign-up to wallet',
    series: [{ name: 'half within (p50)', color: '--series-1' }, { name: '99 % within (p99)', color: '--series-2' }],
    format: milliseconds,
    log: true,
    empty: 'Nobody signed up in this time.',
  });
  const throughput = createChart(byId('throughput'), {
    label: 'Sign-ups and wallets a minute',
    series: [{ name: 'sign-ups', color: '--series-3', filled: true }, { name: 'wallets ready', color: '--series-1' }, { name: 'waiting', color: '--series-2' }],
    format: (value) => compact(value == null ? null : Math.round(value * 10) / 10),
    empty: 'Nothing is recorded for this time yet; the first minute is written when it is over.',
  });
  byId('range').addEventListener('change', onRange);

  return {
    minutes: () => Number(/** @type {HTMLInputElement | null} */ (document.querySelector('#range input:checked'))?.value ?? 180),
    /** @param {History} history */
    show(history) {
      const { times, column, perMinute } = toColumns(history);
      latency.set(times, [column('p50_ms'), column('p99_ms')]);
      throughput.set(times, [perMinute('sign_ups'), perMinute('ready'), column('waiting')]);
    },
  };
}
