import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

export interface SmallFileOptions {
  /** Sees what it is, a plain file, before it is read; throws where it must not be. */
  readonly look?: (stat: Stats) => void;
  /** False: a link is refused with the system's ELOOP. Default true. */
  readonly followsLink?: boolean;
}

/** It can be opened, and is not what was asked for. The message says what it is, and never what is in it. */
export class WrongFile extends Error {}

/**
 * A small file's text. Opened without waiting for whoever writes into a pipe, and looked at through the open file, so that it can't be swapped in between. Throws
 * the system's error where it can't be read, and {@link WrongFile} where it is no file (a pipe, a device: /dev/zero has no end) or longer than `maxBytes`.
 */
export function readSmallFile(path: string, maxBytes: number, { look, followsLink = true }: SmallFileOptions = {}): string {
  // Windows has neither flag.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (followsLink ? 0 : (constants.O_NOFOLLOW ?? 0)));
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw new WrongFile('it is a folder');
    if (!stat.isFile()) throw new WrongFile('it is no plain file');
    look?.(stat);
    if (stat.size > maxBytes) throw new WrongFile(`it is longer than ${maxBytes} bytes`);
    // One byte more than it has: a file that grows, or does not tell its size, is not read half.
    const bytes = Buffer.alloc(stat.size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(file, bytes, length, bytes.length - length, null);
    if (length > stat.size) throw new WrongFile('it is longer than it says, or was being written');
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
