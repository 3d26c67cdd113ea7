import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest folder above this file that holds a package.json: the package's root, from source and from dist alike. */
function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

const root = findPackageRoot();

/** An absolute path inside the installed package. */
export function packagePath(...parts: string[]): string {
  return join(root, ...parts);
}
