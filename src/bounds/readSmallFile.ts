import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

/**
 * A small file's text. Opened without waiting for whoever writes into a pipe, and looked at through the open file, so that it can't be swapped in between. Throws
 * the system's error where it can't be read, and an Error that says why where it is no file (a pipe, a device: /dev/zero has no end) or longer than `maxBytes`.
 * `look` sees what it is before it is read.
 */
export function readSmallFile(path: string, maxBytes: number, look: (stat: Stats) => void = () => undefined): string {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw new Error('it is a folder');
    if (!stat.isFile()) throw new Error('it is no file');
    look(stat);
    if (stat.size > maxBytes) throw new Error(`it is longer than ${maxBytes} bytes`);
    const bytes = Buffer.alloc(stat.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(file, bytes, length, bytes.length - length, null);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}
