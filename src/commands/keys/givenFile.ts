import { readSmallFile } from '../../bounds/readSmallFile.js';
import { AppError } from '../../errors.js';

/** Public keys and envelopes have a kilobyte or two. */
const MOST_BYTES = 65_536;

/** The text of a file that an option or argument names. Throws `usage` with `where` and never with the path, which may be a key given in its place. */
export function readGivenFile(path: string, { where, mend }: { readonly where: string; readonly mend: string }): string {
  try {
    return readSmallFile(path, MOST_BYTES);
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new AppError('usage', code === undefined ? `cannot be used: ${message}` : `cannot be read as a file (${code})`, { where, mend });
  }
}
