import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { packagePath } from '../src/packagePath.js';

const read = (...parts: string[]): string => readFileSync(packagePath(...parts), 'utf8');
const versions = z.record(z.string(), z.string()).default({});
const listed = { dependencies: versions, optionalDependencies: versions, devDependencies: versions, peerDependencies: versions };
const manifest = z.object({ ...listed, overrides: versions.optional() }).parse(JSON.parse(read('package.json')));
const entry = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  integrity: z.string().optional(),
  link: z.boolean().optional(),
  dev: z.boolean().default(false),
  inBundle: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().optional() })).default({}),
});
const lock = z.object({ lockfileVersion: z.number(), packages: z.record(z.string(), entry.extend(listed)) }).parse(JSON.parse(read('package-lock.json')));
const { '': root, ...packages } = lock.packages;
/**
 * What the daemon runs on: from package.json's own dependencies whatever they depend on, optional ones and required peers too, each
 * found as Node finds it. Not what only an optional peer brings in: it is there where another package asks for it.
 */
const daemon = reachable();
/** What `npm ci --omit=dev` leaves beside that: tools of development that a package names as its optional peers. */
const BESIDE = ['@esbuild/', 'esbuild', 'tsx', 'typescript'];

function reachable(): Map<string, z.output<typeof entry>> {
  const found = new Map<string, z.output<typeof entry>>();
  const visit = (from: string, name: string, isOptional: boolean): void => {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      const one = packages[path];
      if (one !== undefined) {
        if (found.has(path)) return;
        found.set(path, one);
        for (const each of Object.keys(one.dependencies)) visit(path, each, false);
        for (const each of Object.keys(one.optionalDependencies)) visit(path, each, true);
        for (const each of Object.keys(one.peerDependencies)) if (one.peerDependenciesMeta[each]?.optional !== true) visit(path, each, true);
        return;
      }
      if (at === '') break;
    }
    if (!isOptional) throw new Error(`${name}, of ${from}, is not in the lock file`);
  };
  for (const name of Object.keys(manifest.dependencies)) visit('', name, false);
  // Optional or a peer of ours, it is what somebody installs for the daemon.
  for (const name of Object.keys({ ...manifest.optionalDependencies, ...manifest.peerDependencies })) visit('', name, true);
  return found;
}

/** A package's reasons, by its name, from the tables and lists of docs/dependencies.md. */
const guide = read('docs', 'dependencies.md');
const rows = [...guide.matchAll(/^\| ([^|]+) \| (.+) \|$/gm)].map(([, names = '', why = '']) => ({ names: names.split(', '), why })).filter(({ names }) => names[0] !== 'package' && !/^-+$/.test(names[0] ?? ''));
const explained = new Map(rows.flatMap(({ names, why }) => names.map((name) => [name.trim(), why.trim()] as const)));

describe('every dependency', () => {
  const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies, ...manifest.devDependencies };

  it.each(Object.entries(all))('is of one exact version: %s %s', (_, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  it.each(Object.keys(all))('has its reason in docs/dependencies.md: %s', (name) => {
    expect(explained.get(name)?.length ?? 0).toBeGreaterThan(10);
  });

  it('with a reason in docs/dependencies.md is one of package.json', () => {
    expect([...explained.keys()].filter((name) => !(name in all))).toEqual([]);
  });
});

describe('the lock file', () => {
  it('says what package.json says', () => {
    for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'] as const) expect(root?.[kind]).toEqual(manifest[kind]);
  });

  it('holds every package by its hash, and takes none from a place of its own', () => {
    expect(lock.lockfileVersion).toBeGreaterThanOrEqual(2);
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    for (const [path, { integrity, resolved, link, inBundle }] of Object.entries(packages)) {
      expect(link, path).toBeUndefined();
      // What a package brings inside its own archive is covered by that archive's hash.
      if (!inBundle) expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
      expect(resolved ?? 'https://registry.npmjs.org/', path).toMatch(/^https:\/\/registry\.npmjs\.org\//);
    }
  });
});

describe('the running daemon', () => {
  it('has no dependency with an install script, at any depth', () => {
    expect(daemon.size).toBeGreaterThan(100);
    expect([...daemon].filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([]);
  });

  it('has none in what is installed here either: the lock file only says what its writer saw', () => {
    const scripts = z.object({ scripts: z.record(z.string(), z.string()).default({}) });
    const found = [...daemon.keys()].filter((path) => {
      if (!existsSync(packagePath(path, 'package.json'))) return false; // An optional one, of another platform.
      const { scripts: own } = scripts.parse(JSON.parse(read(path, 'package.json')));
      return ['preinstall', 'install', 'postinstall'].some((name) => name in own) || existsSync(packagePath(path, 'binding.gyp'));
    });
    expect(found).toEqual([]);
  });

  it('has nothing else beside it once npm has left out what is for development, but what the image removes', () => {
    const image = read('deploy', 'Dockerfile');
    const beside = Object.entries(packages).filter(([path, { dev }]) => !dev && !daemon.has(path)).map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    expect(beside.filter((name) => !BESIDE.some((each) => name === each || (each.endsWith('/') && name.startsWith(each))))).toEqual([]);
    for (const name of BESIDE) expect(image).toContain(` node_modules/${name.replace(/\/$/, '')}`);
  });

  it('is installed in the image without running any script of a package', () => {
    const image = read('deploy', 'Dockerfile');
    const commands = [...image.matchAll(/npm (?:ci|install|prune|rebuild)[^\n&]*/g)].map(([command]) => command);
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands) expect(command).toContain('--ignore-scripts');
  });
});
