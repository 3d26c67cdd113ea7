import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isTooDeep } from '../bounds/depth.js';

/** A file that is not as this program writes it: it may be any other JSON, or none. */
export class OtherLayout extends Error {
  override readonly name = 'OtherLayout';
}

/**
 * Reads a file of this program's own layout, one entry a line, sorted by name (as UTF-8), through one buffer that is used again and
 * again. `bytes` from `start` to `end` is the present line without comma and line break; the next step overwrites it.
 */
export interface EntryReader {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** To the next entry; false after the last. A promise only where the file must be read on. Throws {@link OtherLayout}. */
  next(): boolean | Promise<boolean>;
  /** Below 0 where the present entry's name sorts before `name`, 0 where it is that. */
  compareName(name: Buffer): number;
  /** The present entry, parsed. Throws {@link OtherLayout} where the line is no entry. */
  parse(): { name: string; entry: unknown };
  /** After the last entry: what stands beside the accounts, a line each; the file ends behind it. Throws {@link OtherLayout}. */
  rest(): Promise<string[]>;
  close(): Promise<void>;
}

/** Small, so that a pass over a million entries keeps nothing: 64 KiB are 260 of them. A longer line makes it grow. */
const BUFFER_BYTES = 65_536;
/** A line of ours has 250 bytes; one with what people add, some more. */
const MAX_LINE_BYTES = 4_194_304;
const [LINE_BREAK, QUOTE, BACKSLASH, COMMA] = [0x0a, 0x22, 0x5c, 0x2c];
const ENTRY_START = Buffer.from('    "');
const NO_NAME = Buffer.alloc(0);

/** Opens the file; null where there is none. A link is not followed (ELOOP). Throws {@link OtherLayout} where its head is another. */
export async function openEntries(path: string): Promise<EntryReader | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const reader = createReader(file);
  try {
    await reader.head();
    return reader;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function createReader(file: FileHandle): EntryReader & { head(): Promise<void> } {
  let bytes = Buffer.allocUnsafe(BUFFER_BYTES);
  let filled = 0;
  let start = 0;
  let end = 0;
  /** Where the next line begins. */
  let after = 0;
  let name = NO_NAME;
  let nameStart = 0;
  let nameEnd = 0;
  let previous = Buffer.allocUnsafe(256);
  let previousLength = -1;
  let needsComma = false;
  let isPastEntries = false;

  /** To the next line, without reading the file; false where it is not whole in the buffer. */
  const toLine = (): boolean => {
    const lineBreak = bytes.indexOf(LINE_BREAK, after);
    if (lineBreak === -1 || lineBreak >= filled) return false;
    start = after;
    end = lineBreak;
    after = lineBreak + 1;
    return true;
  };

  /** Reads on, behind what is left of the buffer; false at the file's end. */
  const fill = async (): Promise<boolean> => {
    if (after > 0) bytes.copyWithin(0, after, filled);
    filled -= after;
    after = 0;
    if (filled === bytes.length) {
      if (filled >= MAX_LINE_BYTES) throw new OtherLayout('a line has no end');
      const larger = Buffer.allocUnsafe(bytes.length * 2);
      bytes.copy(larger);
      bytes = larger;
    }
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null);
    filled += bytesRead;
    return bytesRead > 0;
  };

  const readLine = async (): Promise<boolean> => {
    while (!toLine()) if (!(await fill())) return false;
    return true;
  };
  const text = (): string => bytes.toString('utf8', start, end);

  /** What toLine has found as an entry; false where the entries end. */
  const takeEntry = (): boolean => {
    const hasComma = bytes[end - 1] === COMMA;
    if (ENTRY_START.compare(bytes, start, Math.min(end, start + ENTRY_START.length)) !== 0) {
      const line = text();
      if ((line !== '  }' && line !== '  },') || needsComma) throw new OtherLayout('an entry is expected');
      isPastEntries = true;
      needsComma = hasComma;
      return false;
    }
    if (previousLength >= 0 && !needsComma) throw new OtherLayout('a comma is missing');
    if (hasComma) end -= 1;
    needsComma = hasComma;
    takeName();
    if (previousLength >= 0 && previous.compare(name, nameStart, nameEnd, 0, previousLength) >= 0) throw new OtherLayout('not sorted');
    previousLength = nameEnd - nameStart;
    if (previousLength > previous.length) previous = Buffer.allocUnsafe(previousLength * 2);
    name.copy(previous, 0, nameStart, nameEnd);
    return true;
  };

  const takeName = (): void => {
    const from = start + ENTRY_START.length;
    let to = from;
    let isEscaped = false;
    for (; to < end && bytes[to] !== QUOTE; to += 1) {
      if (bytes[to] !== BACKSLASH) continue;
      isEscaped = true;
      to += 1;
    }
    [name, nameStart, nameEnd] = [bytes, from, to];
    if (!isEscaped) return;
    name = Buffer.from(parseJson(bytes.toString('utf8', from - 1, to + 1)) as string);
    [nameStart, nameEnd] = [0, name.length];
  };

  return {
    get bytes() {
      return bytes;
    },
    get start() {
      return start;
    },
    get end() {
      return end;
    },
    async head() {
      for (const line of ['{', '  "accounts": {']) if (!(await readLine()) || text() !== line) throw new OtherLayout('its head is another');
    },
    next() {
      if (toLine()) return takeEntry();
      return readLine().then((isThere) => {
        if (!isThere) throw new OtherLayout('it ends too early');
        return takeEntry();
      });
    },
    compareName: (other) => name.compare(other, 0, other.length, nameStart, nameEnd),
    parse: () => parsePair(text()),
    async rest() {
      if (!isPastEntries) throw new Error('entries are left');
      const lines: string[] = [];
      for (;;) {
        if (!(await readLine())) throw new OtherLayout('it ends too early');
        if (text() === '}') break;
        if (!needsComma) throw new OtherLayout('a comma is missing');
        needsComma = bytes[end - 1] === COMMA;
        if (needsComma) end -= 1;
        if (bytes.toString('utf8', start, start + 3) !== '  "') throw new OtherLayout('a name is expected');
        lines.push(text());
      }
      const names = new Set(['accounts', ...lines.map((line) => parsePair(line).name)]);
      if (needsComma || names.size !== lines.length + 1) throw new OtherLayout('names come twice, or a comma too many');
      if (after < filled || (await fill())) throw new OtherLayout('something follows it');
      return lines;
    },
    close: () => file.close(),
  };
}

function parsePair(line: string): { name: string; entry: unknown } {
  const pairs = Object.entries(parseJson(`{${line}}`) as Record<string, unknown>);
  const [pair] = pairs;
  if (pair === undefined || pairs.length > 1) throw new OtherLayout('a line is not one entry');
  if (isTooDeep(pair[1])) throw new OtherLayout('an entry is nested too deep');
  return { name: pair[0], entry: pair[1] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new OtherLayout('a line is no JSON');
  }
}
