import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isOwn } from './ownFolder.js';

/** What was found among files that must be private. */
export interface CheckedFiles {
  /** So many could be read by others, and cannot any more. */
  readonly tightened: number;
  /** Users whose key file is a link, or another user's file: neither is read, and the next write takes its place. */
  readonly foreign: ReadonlySet<string>;
}

const ENDING = '.pkey';
const MODE = 0o600;
/** After so many names others have a turn: 512 take about 3 ms. */
const NAMES_A_READ = 512;

/**
 * Looks at every file of the folder of keys: closes those that others can read, and tells which are links or another user's. 5 µs a
 * file, so 5 s for a million, once for each time the folder's lock is taken. Throws the system's error.
 */
export async function checkKeyFiles(folder: string): Promise<CheckedFiles> {
  let tightened = 0;
  const foreign = new Set<string>();
  for await (const entry of await opendir(folder, { bufferSize: NAMES_A_READ })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) note(entry.name);
    else if (entry.isFile()) {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat !== undefined && !isOwn(stat)) note(entry.name);
      else if (stat !== undefined && (stat.mode & 0o777 & ~MODE) !== 0 && closeToOthers(path)) tightened += 1;
    }
  }
  return { tightened, foreign };

  function note(name: string): void {
    if (name.endsWith(ENDING)) foreign.add(name.slice(0, -ENDING.length));
  }
}

/** Takes a file of ours from others' eyes: mode 0600. False where it was so, is not there, or is a link or another's. */
export function closeToOthers(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || !isOwn(stat) || (stat.mode & 0o777 & ~MODE) === 0) return false;
    fchmodSync(file, MODE);
    return true;
  } finally {
    closeSync(file);
  }
}
