import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';

/** What a file is to hold, or what writes it; false from that gives the file up. */
export type Content = string | Buffer | ((file: FileHandle) => Promise<boolean>);

/**
 * Writes a file that is to be renamed to its place, and fsyncs it: a rename that reaches the disk before the content would leave an
 * empty file after a power cut. What is at `partial` already, a link too, is removed and not followed; on failure nothing stays there.
 * False, and nothing there, where `content` gave it up.
 */
export async function writePartial(partial: string, content: Content, mode: number): Promise<boolean> {
  await rm(partial, { force: true });
  const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    let isWhole = true;
    try {
      // The mode given to open is narrowed by the umask.
      await file.chmod(mode);
      if (typeof content === 'function') isWhole = await content(file);
      else await file.writeFile(content);
      if (isWhole) await file.sync();
    } finally {
      await file.close();
    }
    if (!isWhole) await rm(partial);
    return isWhole;
  } catch (error) {
    await removeQuietly(partial);
    throw error;
  }
}

/** Clears up after a failure that is worth more than its own. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/** Sets a file's mode and makes its content durable. */
export async function syncFile(path: string, mode: number): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
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
