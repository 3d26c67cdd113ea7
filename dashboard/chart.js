// A chart of values over time with its own legend, which shows the newest values, or those under the cursor. Arrow keys move the cursor too.
import { h, setText } from './dom.js';
import { clockMinute, dayTime } from './format.js';
import { colorOf, fontOf, mountPlot, tint } from './plot.js';

/** @typedef {import('/vendor/uPlot.esm.js')} uPlot */
/** @typedef {import('/vendor/uPlot.esm.js').AlignedData} AlignedData */
/** @typedef {(number | null | undefined)[]} Column */
/**
 * @typedef {object} SeriesOptions
 * @property {string} name
 * @property {string} color a colour of the style sheet, such as `--series-1`
 * @property {boolean} [filled]
 */
/**
 * @typedef {object} ChartOptions
 * @property {string} label what the chart shows, for who can't see it
 * @property {readonly SeriesOptions[]} series
 * @property {(value: number | null | undefined) => string} format
 * @property {boolean} [log] values from milliseconds to minutes have no place on one linear scale
 * @property {string} empty what is said when there is no value
 */

const HEIGHT = 190;
const DAY_S = 86_400;

/**
 * @param {HTMLElement} root
 * @param {ChartOptions} options
 * @returns {{ set: (times: number[], columns: Column[]) => void }} times in seconds since 1970
 */
export function createChart(root, options) {
  const values = options.series.map(() => h('b', {}, '–'));
  const legend = h('ul', { class: 'legend' }, ...options.series.map(({ name, color }, index) => h('li', {}, swatch(color), `${name} `, values[index] ?? null)));
  const when = h('span', { class: 'when' }, 'newest');
  const box = h('div', { class: 'plot', role: 'img', tabindex: 0 });
  const empty = h('p', { class: 'empty' }, options.empty);
  root.append(h('div', { class: 'legend-line' }, legend, when), h('div', { class: 'plot-place' }, box, empty));

  /** @param {uPlot} plot @param {number | null | undefined} index */
  const showValues = (plot, index) => {
    const columns = plot.data.slice(1);
    columns.forEach((column, i) => values[i] !== undefined && setText(values[i], options.format(index == null ? newest(column) : column[index])));
    const at = index == null ? undefined : plot.data[0][index];
    setText(when, at === undefined ? 'newest' : dayTime(at * 1_000));
  };
  const mounted = mountPlot(box, HEIGHT, () => optionsOf(options, showValues));
  box.addEventListener('keydown', (event) => moveCursor(event, mounted.plot()));
  box.addEventListener('blur', () => mounted.plot().setCursor({ left: -10, top: -10 }));

  return {
    set(times, columns) {
      mounted.set(/** @type {AlignedData} */ ([times, ...columns]));
      showValues(mounted.plot(), mounted.plot().cursor.idx);
      empty.hidden = columns.some((column) => column.some((value) => value != null));
      box.setAttribute('aria-label', `${options.label}. Newest: ${options.series.map(({ name }, i) => `${name} ${options.format(newest(columns[i] ?? []))}`).join(', ')}. Arrow keys read the values.`);
    },
  };
}

/** @param {string} color */
function swatch(color) {
  const mark = h('span', { class: 'swatch' });
  mark.style.background = `var(${color})`;
  return mark;
}

/** @param {ArrayLike<number | null | undefined>} column */
const newest = (column) => Array.from(column).findLast((value) => value != null);

/** @param {KeyboardEvent} event @param {uPlot} plot */
function moveCursor(event, plot) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const times = plot.data[0];
  if (step === undefined || times.length === 0) return;
  event.preventDefault();
  const index = Math.min(times.length - 1, Math.max(0, (plot.cursor.idx ?? times.length) + step));
  plot.setCursor({ left: plot.valToPos(times[index] ?? 0, 'x'), top: 0 });
}

/**
 * @param {ChartOptions} options
 * @param {(plot: uPlot, index: number | null | undefined) => void} showValues
 * @returns {import('./plot.js').PlotOptions}
 */
function optionsOf({ series, format, log }, showValues) {
  const axis = { stroke: colorOf('--muted'), font: fontOf(12), grid: { stroke: colorOf('--line'), width: 1 }, ticks: { show: false } };
  return {
    series: [{}, ...series.map(({ color, filled }) => ({ stroke: colorOf(color), width: 2, spanGaps: false, points: { size: 4 }, ...(filled === true ? { fill: tint(color, 0.15) } : {}) }))],
    // uPlot's own legend can only be clicked, and dragging to zoom has no key: both are left out.
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    padding: [8, 20, 0, 0],
    scales: { y: log === true ? { distr: 3, range: logRange } : { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
    axes: [
      { ...axis, size: 28, space: 64, values: (plot, splits) => splits.map(timeLabel(plot)) },
      { ...axis, size: 62, ...(log === true ? { splits: powersOfTen } : {}), values: (_, splits) => splits.map((value) => (value == null ? '' : format(value))) },
    ],
    hooks: { setLegend: [(plot) => showValues(plot, plot.cursor.idx)] },
  };
}

/** Whole powers of ten around the values, and something to draw when there are none. @param {uPlot} _ @param {number | null} min @param {number | null} max @returns {[number, number]} */
function logRange(_, min, max) {
  if (min == null || max == null) return [1, 1_000];
  const from = 10 ** Math.floor(Math.log10(Math.max(0.1, min)));
  return [from, Math.max(from * 10, 10 ** Math.ceil(Math.log10(Math.max(0.1, max))))];
}

/** A line for each power of ten, none between. @param {uPlot} _ @param {number} __ @param {number} min @param {number} max */
function powersOfTen(_, __, min, max) {
  const first = Math.round(Math.log10(min));
  return Array.from({ length: Math.round(Math.log10(max)) - first + 1 }, (_, index) => 10 ** (first + index));
}

/** Axis labels: the time of day, which is enough for a day. @param {uPlot} plot */
function timeLabel(plot) {
  const span = (plot.scales['x']?.max ?? 0) - (plot.scales['x']?.min ?? 0);
  return (/** @type {number} */ at) => (span > DAY_S * 1.5 ? dayTime(at * 1_000) : clockMinute(at * 1_000));
}
