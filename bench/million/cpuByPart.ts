import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** V8's processor profile, as far as it is read here (Chrome DevTools Protocol, Profiler.Profile). */
const profileShape = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }), children: z.array(z.number()).optional() })),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
export type CpuProfile = z.output<typeof profileShape>;

/** The parts of a sweep, by the files that work for them: the innermost frame that is known decides. */
const PARTS: readonly (readonly [part: string, files: RegExp])[] = [
  ['opening and comparing keys', /\/src\/(secrets|handlers\/sweep\/(validate|soundKeys)|flow\/keys|masterKey\/)|node_modules\/(elliptic|bn\.js|@noble|hash\.js|brorand)\//],
  ['flow-production.json', /\/src\/(files\/|handlers\/exportConfig)/],
  ['asking the chain', /\/src\/flow\/|node_modules\/@onflow\/|undici/],
  ['rows and records', /\/src\/(journal|users)\/|node_modules\/(pg|pg-[a-z]+|postgres-[a-z]+)\//],
  ['judging and mending', /\/src\/handlers\//],
];
/** A map: a function named toString is none of them. */
const OWN: ReadonlyMap<string, string> = new Map([['(garbage collector)', 'collecting garbage'], ['(program)', 'the runtime'], ['(idle)', 'idle']]);
const REST = 'the runtime';

/** Seconds of processor time by part; what waits is left out. */
export function cpuByPart(profile: CpuProfile): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const partOf = new Map<number, string>();
  const find = (id: number): string => {
    const known = partOf.get(id);
    if (known !== undefined) return known;
    const frame = nodes.get(id)?.callFrame;
    const own = frame === undefined ? undefined : (OWN.get(frame.functionName) ?? PARTS.find(([, files]) => files.test(frame.url))?.[0]);
    const parent = parents.get(id);
    const found = own ?? (parent === undefined ? REST : find(parent));
    partOf.set(id, found);
    return found;
  };
  const seconds = new Map<string, number>();
  for (const [i, id] of profile.samples.entries()) {
    const part = find(id);
    if (part !== OWN.get('(idle)')) seconds.set(part, (seconds.get(part) ?? 0) + (profile.timeDeltas[i] ?? 0) / 1e6);
  }
  return new Map([...seconds].sort(([, a], [, b]) => b - a));
}

/** The longest profile in the folder: that of the main thread. Throws where there is none. */
export async function readProfile(folder: string): Promise<CpuProfile> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  const profiles = await Promise.all(names.map(async (name) => profileShape.parse(JSON.parse(await readFile(join(folder, name), 'utf8')))));
  const [longest] = profiles.sort((a, b) => b.samples.length - a.samples.length);
  if (longest === undefined) throw new Error(`no processor profile in ${folder}`);
  return longest;
}
