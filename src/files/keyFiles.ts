import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.js';

/** Makes the folder (0700), or narrows its mode. Throws where it is a link or no folder. */
export async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stat = await lstat(folder);
  if (!stat.isDirectory()) throw new AppError('usage', 'is not a folder', { where: folder, mend: 'remove it or set ACCOUNTS_DIR to another place' });
  if ((stat.mode & 0o077) !== 0) await chmod(folder, 0o700);
}

/** Writes one user's key for the Flow CLI: hex, mode 0600, whole or not at all; an existing link is replaced, not followed. */
export async function writeKeyFile(folder: string, authId: string, privateKey: string): Promise<void> {
  const path = join(folder, `${authId}.pkey`);
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(privateKey);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
