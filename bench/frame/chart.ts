import { formatValue, summarise } from './stats.js';
import type { Series } from './benchmark.js';

const WIDTH = 720;
const LABELS = 190;
const VALUES = 170;
const ROW = 34;
const TOP = 30;

const escape = (text: string): string => text.replace(/[&<>"]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[mark] ?? mark);

/**
 * One chart for one unit: a bar to each contender's median, a line from its lowest to its highest sample; who has none is left out. Where contenders are more than
 * a hundredfold apart the scale is logarithmic, and says so.
 */
export function drawChart(title: string, series: readonly Series[]): string {
  const unit = series[0]?.unit ?? '';
  const rows = series.flatMap((each) => (each.samples.length === 0 ? [] : [{ contender: each.contender, ...summarise(each.samples) }]));
  const highest = Math.max(...rows.map((row) => row.highest), Number.MIN_VALUE);
  const lowest = Math.min(...rows.map((row) => row.lowest).filter((value) => value > 0), highest);
  const isLog = highest / lowest > 100;
  const floor = isLog ? 10 ** Math.floor(Math.log10(lowest)) : 0;
  const width = WIDTH - LABELS - VALUES;
  const x = (value: number): number => LABELS + width * (isLog ? Math.log10(Math.max(value, floor) / floor) / Math.log10(highest / floor) : value / highest);
  const height = TOP + rows.length * ROW + 8;
  const bars = rows.map((row, i) => {
    const y = TOP + i * ROW;
    const [from, to] = [x(row.lowest), x(row.highest)].map((value) => value.toFixed(1));
    return [
      `<text x="${LABELS - 10}" y="${y + 17}" text-anchor="end">${escape(row.contender)}</text>`,
      `<rect class="${/^this\b/.test(row.contender) ? 'ours' : 'other'}" x="${LABELS}" y="${y + 4}" width="${Math.max(1, x(row.median) - LABELS).toFixed(1)}" height="18" rx="3"/>`,
      `<path class="spread" d="M${from} ${y + 13}H${to}M${from} ${y + 9}v8M${to} ${y + 9}v8"/>`,
      `<text x="${WIDTH - VALUES + 12}" y="${y + 17}">${formatValue(row.median)} <tspan class="quiet">${formatValue(row.lowest)} to ${formatValue(row.highest)}</tspan></text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.quiet { fill: #59636e; font-size: 11px; }
.ours { fill: #0a7d55; } .other { fill: #8c959f; }
.spread { stroke: #1f2328; stroke-width: 1.2; fill: none; }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .ours { fill: #2ea874; } .other { fill: #656c76; } .spread { stroke: #f0f6fc; } }
</style>
<text x="0" y="16">${escape(title)} <tspan class="quiet">${escape(unit)}, median and spread${isLog ? ', logarithmic' : ''}</tspan></text>
${bars.join('\n')}
</svg>
`;
}
