import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';

/**
 * Writes a file that is to be renamed to its place, and fsyncs it: a rename that reaches the disk before the content would leave an
 * empty file after a power cut. What is at `partial` already, a link too, is removed and not followed; on failure nothing stays there.
 */
export async function writePartial(partial: string, content: string | Buffer, mode: number): Promise<void> {
  await rm(partial, { force: true });
  const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    try {
      // The mode given to open is narrowed by the umask.
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await removeQuietly(partial);
    throw error;
  }
}

/** Clears up after a failure that is worth more than its own. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/** Makes the renames in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
