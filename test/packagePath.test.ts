import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, parse } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot, packagePath } from '../src/packagePath.js';

it('a path in the package is absolute and starts at its package.json', () => {
  expect(isAbsolute(packagePath('sql'))).toBe(true);
  expect(JSON.parse(readFileSync(packagePath('package.json'), 'utf8'))).toMatchObject({ name: 'flow-wallet-sync' });
  expect(packagePath('a', 'b.sql')).toBe(join(packagePath(), 'a', 'b.sql'));
  expect(existsSync(packagePath('src', 'packagePath.ts'))).toBe(true);
});

it('the root is the nearest folder above with a package.json', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wallet-sync-root-'));
  try {
    const deep = join(folder, 'dist', 'src');
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{}');
    expect(findPackageRoot(deep)).toBe(folder);
    writeFileSync(join(deep, 'package.json'), '{}');
    expect(findPackageRoot(deep)).toBe(deep);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('a program that lost its package.json says so and does not look for ever', () => {
  const { root } = parse(process.cwd());
  // Only where the machine itself has none at its root.
  if (existsSync(join(root, 'package.json'))) return;
  expect(() => findPackageRoot(root)).toThrow(/no package\.json/);
});
