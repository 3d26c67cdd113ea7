import { Command, CommanderError } from 'commander';
import { toAppError, AppError } from '../src/errors.js';
import { BENCHMARKS } from './benchmarks/all.js';
import type { Benchmark, Figure } from './frame/benchmark.js';
import { findFalls, notKept } from './frame/compare.js';
import { writePage } from './frame/page.js';
import { readResults, saveResult, toResult } from './frame/result.js';
import { formatValue } from './frame/stats.js';
import { onInterruption } from './interruption.js';
import { startProgress, type Progress } from './progress.js';

interface Options {
  readonly quick: boolean;
  readonly compare: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly page: boolean;
}

function readArguments(args: readonly string[]): { names: readonly string[]; options: Options } {
  const command = new Command('npm run bench --')
    .description('Measures the daemon against what people would use instead, on a real Postgres and a real emulator. Results go to bench/results/, tables and charts to docs/benchmarks.md.')
    .argument('[name...]', 'benchmarks to run; without a name, all of them')
    .option('--quick', 'short runs that show that they work; nothing is written', false)
    .option('--compare', 'compare ratios with the results that are kept, write nothing, and fail where one has fallen by more than 20 %', false)
    .option('--page', 'write docs/benchmarks.md from the results that are kept, and end', false)
    .option('--list', 'name the benchmarks and end', false)
    .option('--json', 'one JSON line on standard output', false)
    .exitOverride()
    .parse(args, { from: 'user' });
  return { names: command.args, options: command.opts<Options>() };
}

/** Those that were named, in the order of the table. Throws `usage` for a name that there is none of. */
function choose(names: readonly string[]): readonly Benchmark[] {
  const unknown = names.filter((name) => !BENCHMARKS.some((each) => each.name === name));
  if (unknown.length > 0) throw new AppError('usage', `there is no benchmark ${unknown.join(', ')}`, { where: 'NAME', mend: `one of ${BENCHMARKS.map((each) => each.name).join(', ')}` });
  return names.length === 0 ? BENCHMARKS : BENCHMARKS.filter((each) => names.includes(each.name));
}

/** Runs one; all that it has started is stopped by its end. */
async function runOne(benchmark: Benchmark, isQuick: boolean, progress: Progress, interrupted: Promise<never>) {
  const stops: (() => Promise<unknown>)[] = [];
  const say = (step: string, done?: number, detail?: string): void => progress.say(`${benchmark.name}: ${step}`, done, detail);
  try {
    return await Promise.race([benchmark.run({ isQuick, say, onEnd: (stop) => void stops.push(stop), interrupted }), interrupted]);
  } finally {
    say('stopping everything');
    for (const stop of stops.reverse()) await stop().catch(() => undefined);
    progress.end();
  }
}

const lineOf = ({ name, value, unit, target, met }: Figure): string =>
  `${met === null ? '      ' : met ? 'met   ' : 'MISSED'} ${name.padEnd(58)} ${`${formatValue(value)} ${unit}`.padStart(22)}${target === null ? '' : `   (${target})`}`;

/** Exit status: 0 all targets met (with --compare: nothing has fallen), 1 not, or a run failed, 2 used wrongly. */
async function main(): Promise<number> {
  const { names, options } = readArguments(process.argv.slice(2));
  const chosen = choose(names);
  if (options.list) {
    process.stdout.write(options.json ? `${JSON.stringify(BENCHMARKS.map(({ name, title, measures }) => ({ name, title, measures })))}\n` : `${BENCHMARKS.map((each) => `${each.name.padEnd(18)} ${each.measures}`).join('\n')}\n`);
    return 0;
  }
  const kept = await readResults();
  const writeKept = (): Promise<void> => writePage(BENCHMARKS.flatMap((each) => kept.get(each.name) ?? []));
  if (options.page) {
    await writeKept();
    return 0;
  }
  const interrupted = onInterruption();
  const progress = startProgress();
  const answer: Record<string, unknown> = {};
  let isWell = true;
  for (const benchmark of chosen) {
    const outcome = await runOne(benchmark, options.quick, progress, interrupted);
    const before = kept.get(benchmark.name);
    const falls = options.compare && before !== undefined ? findFalls(before, outcome.figures) : [];
    isWell &&= options.compare ? falls.length === 0 : outcome.figures.every((each) => each.met !== false);
    const uncompared = options.compare ? notKept(before, outcome.figures) : [];
    answer[benchmark.name] = { figures: outcome.figures, ...(options.compare ? { falls, uncompared } : {}) };
    if (!options.json) process.stdout.write(`${benchmark.title}\n${outcome.figures.map(lineOf).join('\n')}\n${falls.map((fall) => `FELL   ${fall.figure}: ${formatValue(fall.before)} → ${formatValue(fall.now)}\n`).join('')}${uncompared.map((name) => `       not compared, for none is kept: ${name}\n`).join('')}\n`);
    if (options.quick || options.compare) continue;
    const result = toResult(benchmark, outcome);
    await saveResult(result);
    kept.set(benchmark.name, result);
    await writeKept();
  }
  if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  return isWell ? 0 : 1;
}

const status = await main().catch((thrown: unknown) => {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  const error = toAppError(thrown);
  process.stderr.write(`${error.explain()}\n`);
  return error.kind === 'usage' ? 2 : 1;
});
// What an interrupted run has left undone is not worth waiting for; output is flushed first.
process.stdout.write('', () => process.exit(status));
