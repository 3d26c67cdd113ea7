import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { AppError, toAppError } from '../../errors.js';

/** Keys and envelopes have a kilobyte or two. */
const MOST_BYTES = 65_536;

/** A small file's text. `isSecret`: only where nobody but its owner can read it, and not through a link. Throws `usage`. */
export async function readSmallFile(path: string, options: { readonly where: string; readonly isSecret: boolean }): Promise<string> {
  const { where, isSecret } = options;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | (isSecret ? constants.O_NOFOLLOW : 0));
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new AppError('usage', 'is not a file', { where });
      if (isSecret && (stat.mode & 0o077) !== 0) throw new AppError('usage', 'can be read by others', { where, mend: 'chmod 600 it' });
      if (stat.size > MOST_BYTES) throw new AppError('usage', 'is too large to be one', { where });
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (thrown) {
    const { kind, message, mend } = toAppError(thrown);
    if (kind !== 'files') throw thrown;
    // Its message names the path, which may be a key given in its place.
    const code = /^([A-Z]+):/.exec(message)?.[1] ?? 'not readable';
    throw new AppError('usage', `cannot be read (${code})`, { where, mend: code === 'ELOOP' ? 'give the file itself, not a link to it' : (mend ?? '') });
  }
}
