import { constants } from 'node:fs';
import { copyFile, link, lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeQuietly, syncFile, syncFolder, writePartial, type Content } from './writePartial.js';

/**
 * Replaces a file whole: written beside it, fsynced, renamed over it; the previous version is kept as `<path>.backup`. A crash at any
 * point leaves the old or the new file, and a whole backup. A link at any of these names is replaced, not followed. `content` can be a
 * function that writes it; where that returns false, or `isDue` does when all is written, the file stays as it is. Returns whether it was
 * replaced. Throws the system's error (ENOSPC, EROFS, …) with the old file untouched. One writer at a time.
 */
export async function replaceFile(path: string, content: Content, mode: number, isDue: () => Promise<boolean> = () => Promise.resolve(true)): Promise<boolean> {
  const partial = `${path}.partial`;
  const backupPartial = `${path}.backup.partial`;
  try {
    if (!(await writePartial(partial, content, mode))) return false;
    if (!(await isDue())) {
      await rm(partial);
      return false;
    }
    if (await keepRegularFile(path, backupPartial, mode)) {
      await rename(backupPartial, `${path}.backup`);
      // Where a crash left the file and its backup two names of one file, the rename did nothing.
      await rm(backupPartial, { force: true });
    }
    await rename(partial, path);
  } catch (error) {
    await removeQuietly(partial);
    await removeQuietly(backupPartial);
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}

/**
 * Gives a file a second name: no byte of it is written again, for its old name is about to be another file's. Copied where the file
 * system has no second names. False where there is no file, or a link or folder.
 */
async function keepRegularFile(path: string, backup: string, mode: number): Promise<boolean> {
  const stat = await lstat(path).catch(() => null);
  if (stat === null || !stat.isFile()) return false;
  await rm(backup, { force: true });
  try {
    // Written by hand it may be readable by others, and not on the disk yet.
    await syncFile(path, mode);
    await link(path, backup);
  } catch (error) {
    if (!isRefusedLink(error)) throw error;
    await copyFile(path, backup, constants.COPYFILE_EXCL);
    await syncFile(backup, mode);
  }
  return true;
}

/** The file is another's, or its file system has no hard links. */
function isRefusedLink(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? '');
}
