import { constants } from 'node:fs';
import { lstat, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeQuietly, syncFolder, writePartial } from './writePartial.js';

/**
 * Replaces a file whole: written beside it, fsynced, renamed over it; the previous version is kept as `<path>.backup`, written in the
 * same way. A crash at any point leaves the old or the new file, and a whole backup. A link at any of these names is replaced, not
 * followed. Throws the system's error (ENOSPC, EROFS, …) with the old file untouched. One writer at a time.
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const partial = `${path}.partial`;
  const backupPartial = `${path}.backup.partial`;
  try {
    await writePartial(partial, text, mode);
    const previous = await readRegularFile(path);
    if (previous !== null) {
      await writePartial(backupPartial, previous, mode);
      await rename(backupPartial, `${path}.backup`);
    }
    await rename(partial, path);
  } catch (error) {
    await removeQuietly(partial);
    await removeQuietly(backupPartial);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The content of a file; null where there is none, or a link or folder. */
async function readRegularFile(path: string): Promise<Buffer | null> {
  const stat = await lstat(path).catch(() => null);
  if (stat === null || !stat.isFile()) return null;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
