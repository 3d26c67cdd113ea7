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
  readonly pages: AsyncIterable<Iterable<FileAccount>>;
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
const PLAIN_ID = /^[0-9a-f-]{36}$/;
const PLAIN_ADDRESS = /^0x[0-9a-f]{16}$/;
const [BEFORE_ADDRESS = '', BETWEEN = '', BEFORE_END = ''] = entryLine('', toEntry('ID', 'ADDRESS')).slice('    ""'.length).split(/ADDRESS|ID/);

/**
 * Merges the file's entries with the journal's accounts, both sorted by name, and hands all to `writer` in that order; without one it
 * only counts. Every entry of the file stays: one with the journal's address as it is, byte for byte; one with another address gets
 * address and key anew and keeps its other keys. Memory: a page of accounts and two buffers. Throws OtherLayout where the file isn't of this program's layout.
 */
export async function mergeEntries(reader: EntryReader | null, source: EntrySource, writer: EntryWriter | null): Promise<Merged> {
  const line = Buffer.allocUnsafe(LINE_BYTES);
  const id = Buffer.alloc(36);
  let [entries, added, changed, gone] = [0, 0, 0, 0];

  /** The account's entry as bytes in `line`; returns their number. */
  const toLine = ({ authId, address }: FileAccount): number => {
    let length = line.write('    "', 'latin1');
    for (const text of [authId, '"', BEFORE_ADDRESS, address, BETWEEN, authId, BEFORE_END]) length += line.write(text, length, 'latin1');
    return length;
  };
  // Of a million steps a few thousand wait; a promise for each would triple the time.
  const put = (bytes: Buffer, start: number, end: number): Promise<void> | undefined => {
    entries += 1;
    return writer?.entry(bytes, start, end);
  };

  let hasOld = reader !== null && (await reader.next());
  const step = (old: EntryReader): Promise<void> | undefined => {
    const next = old.next();
    if (typeof next === 'boolean') hasOld = next;
    else return next.then((isThere) => void (hasOld = isThere));
    return undefined;
  };
  /** Whether the entry is exactly as this program writes it. Not parsed: a parsed name is kept by the engine until its next full collection. */
  const isPlain = (old: EntryReader): boolean => {
    const authId = old.bytes.toString('latin1', old.start + 5, old.start + 41);
    const from = old.start + 42 + BEFORE_ADDRESS.length;
    const address = old.bytes.toString('latin1', from, from + 18);
    if (!PLAIN_ID.test(authId) || !PLAIN_ADDRESS.test(address)) return false;
    return line.compare(old.bytes, old.start, old.end, 0, toLine({ authId, address, isOrphaned: false })) === 0;
  };
  /** An entry that the journal does not know: made by hand, or of a user who is gone. */
  const keep = async (old: EntryReader): Promise<void> => {
    if (isPlain(old)) gone += 1;
    else {
      const { name, entry } = old.parse();
      if (isOurs(name, entry)) gone += 1;
    }
    await put(old.bytes, old.start, old.end);
    await step(old);
  };
  /** The entry of an account with the journal's address, or with another. */
  const compare = async (old: EntryReader, account: FileAccount): Promise<void> => {
    const { entry } = old.parse();
    if (addressOf(entry) === account.address || !source.mayJoin(account)) return put(old.bytes, old.start, old.end);
    changed += 1;
    const renewed = Buffer.from(entryLine(account.authId, { ...(isObject(entry) ? entry : {}), ...toEntry(account.authId, account.address) }));
    return put(renewed, 0, renewed.length);
  };

  for await (const page of source.pages) {
    for (const account of page) {
      id.write(account.authId, 'latin1');
      while (hasOld && reader !== null && reader.compareName(id) < 0) await keep(reader);
      const length = toLine(account);
      if (!hasOld || reader === null || reader.compareName(id) !== 0) {
        if (!source.mayJoin(account)) continue;
        added += 1;
        const written = put(line, 0, length);
        if (written !== undefined) await written;
        continue;
      }
      if (account.isOrphaned) gone += 1;
      const isSame = line.compare(reader.bytes, reader.start, reader.end, 0, length) === 0;
      const written = isSame ? put(line, 0, length) : compare(reader, account);
      if (written !== undefined) await written;
      const stepped = step(reader);
      if (stepped !== undefined) await stepped;
    }
  }
  while (hasOld && reader !== null) await keep(reader);
  const rest = (await reader?.rest()) ?? [];
  await writer?.end(rest);
  return { entries, added, changed, gone };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const addressOf = (entry: unknown): unknown => (isObject(entry) ? entry['address'] : undefined);
