// A figure with its own past beside it: a name, the value of now, and a line without axes.
import { h, setText } from './dom.js';
import { colorOf, mountPlot, tint } from './plot.js';

const HEIGHT = 36;

/**
 * @param {HTMLElement} root
 * @param {{ name: string, color: string, format: (value: number | null | undefined) => string }} options
 * @returns {{ set: (times: number[], values: (number | null | undefined)[], now?: number | null) => void }} times in seconds since 1970; `now` where something newer than the last value is known
 */
export function createSpark(root, { name, color, format }) {
  const value = h('b', {}, '–');
  const range = h('small', {});
  const box = h('div', { class: 'spark-plot', 'aria-hidden': 'true' });
  root.append(h('div', { class: 'spark' }, h('span', { class: 'spark-name' }, name), value, range, box));
  const mounted = mountPlot(box, HEIGHT, () => ({
    series: [{}, { stroke: colorOf(color), width: 1.5, fill: tint(color, 0.15), points: { show: false } }],
    legend: { show: false },
    cursor: { show: false },
    padding: [3, 1, 3, 1],
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1e-6) * 1.05] } },
  }));
  return {
    set(times, values, now) {
      const known = values.filter((each) => each != null);
      setText(value, format(now ?? known.at(-1)));
      setText(range, known.length === 0 ? '' : `highest ${format(Math.max(...known))}`);
      mounted.set([times, values]);
    },
  };
}
