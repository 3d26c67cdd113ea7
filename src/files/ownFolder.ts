import { constants, lstatSync, type Stats } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError } from '../errors.js';

const LINK_MEND = 'links are not followed there: remove it, or set ACCOUNTS_DIR to the place itself';

/**
 * Makes the folder (0700), or narrows its mode. Throws `usage` where it is a link, no folder, or another user's: whoever owns it could put
 * anything in the place of a key file. Folders above it are the operator's, and may be links.
 */
export async function prepareFolder(folder: string): Promise<void> {
  // Without its last slash: with one, lstat would follow a link.
  const path = resolve(folder);
  if ((await lstat(path).catch(() => null)) === null) await mkdir(path, { recursive: true, mode: 0o700 });
  requireOwn(folder, await lstat(path));
  // Through a handle that follows no link: what was looked at is what is changed.
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const stat = await handle.stat();
    requireOwn(folder, stat);
    if ((stat.mode & 0o077) !== 0) await handle.chmod(0o700);
  } finally {
    await handle.close();
  }
}

/** Throws as {@link prepareFolder} does where the folder has become a link or another's since. One that cannot be looked at is not judged: nothing is written there either. 4 µs. */
export function requireOwnFolder(folder: string): void {
  let stat: Stats | undefined;
  try {
    stat = lstatSync(resolve(folder), { throwIfNoEntry: false });
  } catch {
    return;
  }
  if (stat !== undefined) requireOwn(folder, stat);
}

function requireOwn(folder: string, stat: Stats): void {
  if (stat.isSymbolicLink()) throw new AppError('usage', 'is a link', { where: folder, mend: LINK_MEND });
  if (!stat.isDirectory()) throw new AppError('usage', 'is not a folder', { where: folder, mend: 'remove it or set ACCOUNTS_DIR to another place' });
  if (!isOwn(stat)) throw new AppError('usage', `belongs to another user (uid ${stat.uid})`, { where: folder, mend: 'give it to the user the daemon runs as (chown), or set ACCOUNTS_DIR to another place' });
}

/** Whether it is this process's user's. Where there are no users (Windows), all is. */
export function isOwn(stat: Pick<Stats, 'uid'>): boolean {
  const uid = process.geteuid?.();
  return uid === undefined || stat.uid === uid;
}
