import { mkdir, rm, writeFile } from 'node:fs/promises';
import { packagePath } from '../../src/packagePath.js';
import { drawChart } from './chart.js';
import type { Result } from './result.js';
import { formatValue } from './stats.js';

const HEAD = `# Benchmarks

Made by \`npm run bench\` from \`bench/results/\`; not written by hand. Contenders take turns on one stack, several rounds, another one first in each round.
Figures of one run are compared within that run alone: times of another machine, or of another day on this one, mean nothing beside them.

| contender | what it is |
|---|---|
| this | the daemon as shipped, through the enforced public limits |
| baseline | what a plain service does (\`bench/contenders/baseline.ts\`): at each interval all users, for each two balance scripts at 5 a second, one transaction each for account, vault, publication and funding, each waited for, the configuration rewritten for every wallet |
| limit | transactions of 25 accounts signed beforehand, sent on the same slots, one unsealed each, and nothing else done (\`bench/contenders/limit.ts\`) |
`;

const CHARTS = 'benchmarks';

/** Charts by unit: bars of different units share no scale. */
const chartsOf = (result: Result): { file: string; svg: string }[] => {
  const units = [...new Set(result.series.map((each) => each.unit))];
  return units.map((unit, i) => ({ file: `${result.name}${i === 0 ? '' : `-${i + 1}`}.svg`, svg: drawChart(result.title, result.series.filter((each) => each.unit === unit)) }));
};

function sectionOf(result: Result): string {
  const { machine, versions } = result;
  const mark = (met: boolean | null): string => (met === null ? '' : met ? 'met' : '**missed**');
  return [
    `## ${result.title}`,
    '',
    result.measures,
    '',
    ...chartsOf(result).map(({ file }) => `![${result.title}](${CHARTS}/${file})\n`),
    '| figure | value | must reach | |',
    '|---|---|---|---|',
    ...result.figures.map((each) => `| ${each.name} | ${each.value === null ? '–' : formatValue(each.value)} ${each.unit} | ${each.target ?? ''} | ${mark(each.met)} |`),
    '',
    ...result.remarks.map((remark) => `- ${remark}`),
    `- Measured ${result.measured_at.slice(0, 10)} at ${versions['commit'] ?? 'unknown'} on ${machine.cores} cores (${machine.processor}), ${machine.memory_gib} GiB, ${machine.system}, Node ${versions['node'] ?? ''}.`,
    '',
  ].join('\n');
}

/** What docs/ shows of the results, in this order: each file's path in docs/, and its text. */
export function pageOf(results: readonly Result[]): Map<string, string> {
  return new Map([['benchmarks.md', [HEAD, ...results.map(sectionOf)].join('\n')], ...results.flatMap(chartsOf).map(({ file, svg }): [string, string] => [`${CHARTS}/${file}`, svg])]);
}

/** Writes docs/benchmarks.md and its charts anew. */
export async function writePage(results: readonly Result[]): Promise<void> {
  await rm(packagePath('docs', CHARTS), { recursive: true, force: true });
  await mkdir(packagePath('docs', CHARTS), { recursive: true });
  for (const [path, text] of pageOf(results)) await writeFile(packagePath('docs', path), text);
}
