import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packagePath } from '../src/packagePath.js';
import { SETTING_NAMES } from '../src/settings.js';

const text = readFileSync(packagePath('SECURITY.md'), 'utf8');

describe('SECURITY.md', () => {
  it('names tests that are there', () => {
    const named = [...new Set([...text.matchAll(/`(test\/[\w/]+\.test\.ts)`/g)].map(([, path = '']) => path))];
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((path) => !existsSync(packagePath(path)))).toEqual([]);
  });

  it('names settings that there are', () => {
    const named = [...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)[`=]/g)].map(([, name = '']) => name);
    const known = [...SETTING_NAMES, 'MIGRATE_DATABASE_URL', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('is part of the package', () => {
    expect(readFileSync(packagePath('package.json'), 'utf8')).toContain('"SECURITY.md"');
  });
});
