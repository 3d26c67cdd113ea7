import { accessSync, constants, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, sep } from 'node:path';
import { readSmallFile, WrongFile } from './bounds/readSmallFile.js';
import { AppError } from './errors.js';

/** A key is 64 digits and a newline; whatever is longer is another file. */
const MAX_BYTES = 4_096;

/**
 * How a file that holds a secret is trusted.
 *
 * - `own`: a file of this user's or root's that nobody else can read, not reached over a link.
 * - `mounted`: what a container's runtime put there: root's or this user's, written by nobody else. It may be readable by others, who in a container
 *   are this program alone, and may be a link that stays in its own folder: Kubernetes mounts a secret as a link to `..data/NAME`, mode 0444.
 */
export type SecretFileTrust = 'own' | 'mounted';

/**
 * The text of a file that holds a secret. What is checked is checked on the open file, so that it can't be swapped in between. Throws `usage`, with `where` (the path,
 * unless that may be a key given in its place) and never with what is in the file, where it can't be read or can't be trusted.
 */
export function readSecretFile(path: string, trust: SecretFileTrust, where = path): string {
  const { real, folders } = trust === 'mounted' ? resolveMounted(path) : { real: path, folders: [dirname(path)] };
  const look = (stats: Stats): void => {
    const fault = faultOf(stats, trust) ?? folders.map((folder) => faultOfFolder(folder, trust)).find((found) => found !== null) ?? null;
    if (fault !== null) throw new AppError('usage', `the key file ${fault.text}`, { where, mend: fault.mend(path) });
  };
  try {
    return readSmallFile(real, MAX_BYTES, { look, followsLink: false });
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    if (thrown instanceof WrongFile) throw new AppError('usage', `the key file cannot be used: ${thrown.message}`, { where, mend: 'name a file that holds the key alone' });
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'ELOOP') throw new AppError('usage', 'the key file is a link, and links are not followed', { where, mend: 'name the file itself; a setting that takes mounted:PATH follows the links of a container\'s runtime' });
    throw new AppError('usage', `the key file cannot be read (${code})`, { where, mend: 'put the key there with mode 0600, as the user that this program runs as' });
  }
}

/** Where a mounted secret's link leads: only to what lies below the folder that it stands in. */
function resolveMounted(path: string): { real: string; folders: string[] } {
  let real: string;
  let folder: string;
  try {
    real = realpathSync(path);
    folder = realpathSync(dirname(path));
  } catch (thrown) {
    throw new AppError('usage', `the key file cannot be read (${(thrown as NodeJS.ErrnoException).code ?? 'unknown'})`, { where: path, mend: 'see that the secret is mounted there' });
  }
  if (real.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return { real, folders: [...new Set([folder, dirname(real)])] };
  throw new AppError('usage', 'the key file is a link that leads out of its folder', { where: path, mend: 'name the file itself' });
}

interface Fault {
  readonly text: string;
  readonly mend: (path: string) => string;
}

function faultOf(stats: Stats, trust: SecretFileTrust): Fault | null {
  // Windows has no such owners and modes.
  if (process.platform === 'win32') return null;
  if (!isTrusted(stats.uid)) return { text: `belongs to another user (uid ${stats.uid})`, mend: (path) => `chown ${process.getuid?.() ?? 'USER'} ${path}` };
  const mode = stats.mode & 0o777;
  const shown = mode.toString(8).padStart(4, '0');
  if (trust === 'own' && (mode & 0o077) !== 0) return { text: `can be read by others (mode ${shown})`, mend: (path) => `chmod 600 ${path}` };
  if ((mode & 0o022) !== 0) return { text: `can be written by others (mode ${shown})`, mend: (path) => `chmod go-w ${path}` };
  return null;
}

/** Who can write the folder can put another file in the key's place. */
function faultOfFolder(folder: string, trust: SecretFileTrust): Fault | null {
  if (process.platform === 'win32') return null;
  const stats = statSync(folder);
  // A mount for reading alone is nobody's to write, whatever its mode says: Kubernetes shows 1777.
  if (trust === 'mounted' && isReadOnly(folder)) return null;
  const isSticky = (stats.mode & 0o1000) !== 0;
  const byOthers = (stats.mode & 0o002) !== 0;
  // A group of the user's own name is common, and folders are then made with 0775.
  const byGroup = (stats.mode & 0o020) !== 0 && stats.gid !== process.getgid?.() && stats.gid !== 0;
  if (!isSticky && (byOthers || byGroup)) return { text: `is in a folder that others can write (mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')})`, mend: () => `chmod go-w ${folder}` };
  if (!isTrusted(stats.uid) && !isSticky) return { text: `is in a folder of another user (uid ${stats.uid})`, mend: () => `chown ${process.getuid?.() ?? 'USER'} ${folder}` };
  return null;
}

const isTrusted = (uid: number): boolean => uid === 0 || uid === process.getuid?.();

function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EROFS';
  }
}
