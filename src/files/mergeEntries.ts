import { entryLine, isOurs, toEntry } from './entry.js';
import type { EntryReader } from './readEntries.js';
import type { EntryWriter } from './writeEntries.js';

/** An assigned account, as the file shows it. */
export interface FileAccount {
  readonly authId: string;
  readonly address: string;
  /** Its user is gone. */
  readonly isOrphaned: boolean;
}

export interface EntrySource {
  /** All assigned accounts by user id, ascending. */
  readonly pages: AsyncIterable<readonly FileAccount[]>;
  /** Whether an account that the file lacks, or has with another address, may come into it now. */
  readonly mayJoin: (account: FileAccount) => boolean;
}

/** What a merge found. */
export interface Merged {
  /** Entries of the file then, those made by hand too. */
  readonly entries: number;
  readonly added: number;
  /** Entries whose address was another. */
  readonly changed: number;
  /** Entries of this program's making whose users are gone, or are not in the journal. */
  readonly gone: number;
}

/** An id is 36 bytes, an address 18; JSON escapes neither. */
const LINE_BYTES = 1_024;
const [BEFORE_ADDRESS = '', BETWEEN = '', BEFORE_END = ''] = entryLine('', toEntry('ID', 'ADDRESS')).slice('    ""'.length).split(/ADDRESS|ID/);

/**
 * Merges the file's entries with the journal's accounts, both sorted by name, and hands all to `writer` in that order; without one it
 * only counts. Every entry of the file stays: one with the journal's address as it is, byte for byte; one with another address gets
 * address and key anew and keeps its other keys. Memory: a page of accounts and two buffers. Throws OtherLayout where the file isn't of this program's layout.
 */
export async function mergeEntries(reader: EntryReader | null, source: EntrySource, writer: EntryWriter | null): Promise<Merged> {
  const line = Buffer.allocUnsafe(LINE_BYTES);
  const id = Buffer.alloc(36);
  let hasOld = reader !== null && (await reader.next());
  let [entries, added, changed, gone] = [0, 0, 0, 0];

  /** The account's entry as bytes in `line`; returns their number. */
  const toLine = (account: FileAccount): number => {
    let length = 0;
    for (const text of [`    "${account.authId}"`, BEFORE_ADDRESS, account.address, BETWEEN, account.authId, BEFORE_END]) length += line.write(text, length, 'latin1');
    return length;
  };
  const put = async (bytes: Buffer, start: number, end: number): Promise<void> => {
    entries += 1;
    await writer?.entry(bytes, start, end);
  };

  for await (const page of source.pages) {
    for (const account of page) {
      id.write(account.authId, 'latin1');
      while (hasOld && reader !== null && reader.compareName(id) < 0) {
        const { name, entry } = reader.parse();
        if (isOurs(name, entry)) gone += 1;
        await put(reader.bytes, reader.start, reader.end);
        hasOld = await reader.next();
      }
      const length = toLine(account);
      const isThere = hasOld && reader !== null && reader.compareName(id) === 0;
      if (account.isOrphaned && isThere) gone += 1;
      if (!isThere) {
        if (!source.mayJoin(account)) continue;
        added += 1;
        await put(line, 0, length);
        continue;
      }
      if (line.compare(reader.bytes, reader.start, reader.end, 0, length) === 0) await put(line, 0, length);
      else {
        const { entry } = reader.parse();
        if (addressOf(entry) === account.address || !source.mayJoin(account)) await put(reader.bytes, reader.start, reader.end);
        else {
          changed += 1;
          const renewed = Buffer.from(entryLine(account.authId, { ...(isObject(entry) ? entry : {}), ...toEntry(account.authId, account.address) }));
          await put(renewed, 0, renewed.length);
        }
      }
      hasOld = await reader.next();
    }
  }
  for (; hasOld && reader !== null; hasOld = await reader.next()) {
    const { name, entry } = reader.parse();
    if (isOurs(name, entry)) gone += 1;
    await put(reader.bytes, reader.start, reader.end);
  }
  const rest = (await reader?.rest()) ?? [];
  await writer?.end(rest);
  return { entries, added, changed, gone };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const addressOf = (entry: unknown): unknown => (isObject(entry) ? entry['address'] : undefined);
