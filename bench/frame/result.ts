import { execFileSync } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { arch, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packagePath } from '../../src/packagePath.js';
import type { Benchmark, Outcome } from './benchmark.js';

const figure = z.object({ name: z.string(), value: z.number().nullable(), unit: z.string(), target: z.string().nullable(), met: z.boolean().nullable(), better: z.enum(['higher', 'lower']).optional() });
const result = z.object({
  name: z.string(),
  title: z.string(),
  measures: z.string(),
  measured_at: z.string(),
  machine: z.object({ system: z.string(), processor: z.string(), cores: z.number(), memory_gib: z.number() }),
  versions: z.record(z.string(), z.string()),
  figures: z.array(figure),
  series: z.array(z.object({ contender: z.string(), unit: z.string(), samples: z.array(z.number()) })),
  remarks: z.array(z.string()),
});

/** What a result file holds. */
export type Result = z.output<typeof result>;

/** What was measured, with where and on what. */
export function toResult({ name, title, measures }: Benchmark, outcome: Outcome): Result {
  const processors = cpus();
  return {
    name,
    title,
    measures,
    measured_at: new Date().toISOString(),
    machine: { system: `${type()} ${release()} ${arch()}`, processor: processors[0]?.model.trim() ?? 'unknown', cores: processors.length, memory_gib: Math.round(totalmem() / 2 ** 30) },
    versions: { node: process.versions.node, commit: commit(), postgres: 'embedded 17', flow_emulator: 'v1.22.0' },
    figures: outcome.figures.map((each) => ({ ...each, value: Number.isFinite(each.value) ? each.value : null })),
    series: outcome.series.map((each) => ({ ...each, samples: each.samples.map((sample) => Number(sample.toPrecision(5))) })),
    remarks: [...outcome.remarks],
  };
}

/** The commit that was measured; `+` where files differ from it. */
function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: packagePath('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src', 'sql', 'cadence') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

const folder = (): string => packagePath('bench', 'results');

export async function saveResult(made: Result): Promise<void> {
  await mkdir(folder(), { recursive: true });
  await writeFile(join(folder(), `${made.name}.json`), `${JSON.stringify(made, null, 1)}\n`);
}

/** Those that are kept, by name. Throws where a file is none of ours. */
export async function readResults(): Promise<Map<string, Result>> {
  const names = (await readdir(folder()).catch(() => [])).filter((name) => name.endsWith('.json'));
  const results = await Promise.all(names.map(async (name) => result.parse(JSON.parse(await readFile(join(folder(), name), 'utf8')))));
  return new Map(results.map((each) => [each.name, each]));
}
