import { constants } from 'node:fs';
import { copyFile, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a file whole: written beside it, fsynced, renamed over it; the previous version is kept as `<path>.backup`. A crash at
 * any point leaves the old or the new file. Throws the system's error (ENOSPC, EROFS, …) with the old file untouched.
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, mode);
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (await isRegularFile(path)) {
      await copyFile(path, `${path}.backup.partial`);
      await rename(`${path}.backup.partial`, `${path}.backup`);
    }
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function isRegularFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch {
    return false;
  }
}

/** Makes a rename durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
