import type { FileHandle } from 'node:fs/promises';

/** Takes the file's parts in order and writes them through one buffer of fixed size. */
export interface EntryWriter {
  /** One entry's line, without comma and line break, in the order of names. A promise only where the buffer was full. */
  entry(bytes: Buffer, start: number, end: number): Promise<void> | undefined;
  /** Ends the file; `rest` is what stands beside the accounts, a line each. */
  end(rest: readonly string[]): Promise<void>;
}

const BUFFER_BYTES = 65_536;
const HEAD = '{\n  "accounts": {\n';
const SEPARATOR = ',\n';

export function createEntryWriter(file: FileHandle): EntryWriter {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let used = buffer.write(HEAD, 'latin1');
  let isFirst = true;

  const drain = async (): Promise<void> => {
    await writeAll(file, buffer, 0, used);
    used = 0;
  };
  const append = (bytes: Buffer, start: number, end: number): void => void (used += bytes.copy(buffer, used, start, end));
  const separate = (): void => {
    if (!isFirst) used += buffer.write(SEPARATOR, used, 'latin1');
    isFirst = false;
  };
  const drainThen = async (bytes: Buffer, start: number, end: number): Promise<void> => {
    separate();
    await drain();
    if (end - start < buffer.length - SEPARATOR.length) return append(bytes, start, end);
    await writeAll(file, bytes, start, end);
  };

  return {
    entry(bytes, start, end) {
      // Room for a separator is always left.
      if (used + end - start + 2 * SEPARATOR.length > buffer.length) return drainThen(bytes, start, end);
      separate();
      append(bytes, start, end);
      return undefined;
    },
    async end(rest) {
      await drain();
      const lines = rest.map((line) => `,\n${line}`).join('');
      const tail = Buffer.from(`${isFirst ? '' : '\n'}  }${lines}\n}\n`);
      await writeAll(file, tail, 0, tail.length);
    },
  };
}

/** A disk that is nearly full can take a part of a write and refuse the next. */
async function writeAll(file: FileHandle, bytes: Buffer, start: number, end: number): Promise<void> {
  for (let at = start; at < end; ) at += (await file.write(bytes, at, end - at)).bytesWritten;
}
