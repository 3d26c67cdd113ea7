import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from './errors.js';

/**
 * The nearest folder, from `start` upwards, that holds a package.json: the package's root, from source and from dist alike.
 * Throws `internal` where there is none.
 */
export function findPackageRoot(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new AppError('internal', 'no package.json in this folder or above it', { where: start, mend: 'install the whole package' });
    folder = parent;
  }
  return folder;
}

const root = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

/** An absolute path inside the installed package. */
export function packagePath(...parts: string[]): string {
  return join(root, ...parts);
}

/** This version's number. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as { version: string }).version;
}
