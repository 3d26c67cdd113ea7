import { constants } from 'node:fs';
import { lstat, readFile, rename, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../errors.js';
import { isTooDeep } from '../bounds/depth.js';
import { entryLine } from './entry.js';
import { mergeEntries, type EntrySource, type Merged } from './mergeEntries.js';
import { openEntries, OtherLayout } from './readEntries.js';
import { replaceFile } from './replaceFile.js';
import { createEntryWriter, type EntryWriter } from './writeEntries.js';

const MODE = 0o600;
/** A file that others change while it is merged is merged again so often. */
const ATTEMPTS = 3;
/** A file of another layout is parsed whole: a million entries have 250 MB. */
const MAX_PARSED_BYTES = 400_000_000;
/** Editors of Windows put it before the text; JSON.parse refuses it. */
const BYTE_ORDER_MARK = /^\ufeff/;
/** Loose on purpose: entries and keys made by hand survive. */
const fileSchema = z.looseObject({ accounts: z.record(z.string(), z.unknown()) });

export interface FileOptions {
  /** A corrupt file was set aside; the new one must be filled from the journal. */
  readonly onCorrupt: (corrupt: Corrupt) => void;
}

export interface Corrupt {
  readonly reason: string;
  /** `<path>.corrupt`, or with a number where others were set aside before. */
  readonly setAsideAs: string;
}

export interface WriteOptions extends FileOptions {
  /** Asked when all is written, before it takes the file's place: false leaves the file as it is. */
  readonly mayReplace: () => boolean;
}

/** Compares the file with the accounts, and changes nothing but its layout. Throws the system's error (ELOOP where it is a link), and what `source` throws. */
export function compareFlowProduction(path: string, source: () => EntrySource, options: FileOptions): Promise<Merged> {
  return inOurLayout(path, options, () => mergeWith(path, source(), null));
}

/**
 * Merges the accounts into the file: read and written as a stream, replaced whole, its previous version kept as `.backup`, readable by
 * its owner alone. Where nothing is new nothing is replaced. Null where `mayReplace` refused. Throws the system's error (ENOSPC, EROFS, …) and what
 * `source` throws, with the file untouched; `data` where others keep changing the file.
 */
export async function mergeFlowProduction(path: string, source: () => EntrySource, options: WriteOptions): Promise<Merged | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    let merged: Merged | undefined;
    let isRefused = false;
    const isReplaced = await inOurLayout(path, options, async () => {
      const before = await identityOf(path);
      const write = async (file: FileHandle): Promise<boolean> => {
        merged = await mergeWith(path, source(), createEntryWriter(file));
        return merged.added + merged.changed > 0;
      };
      return replaceFile(path, write, MODE, async () => {
        isRefused = !options.mayReplace();
        return !isRefused && (await identityOf(path)) === before;
      });
    });
    if (isRefused || merged === undefined) return null;
    if (isReplaced || merged.added + merged.changed === 0) return merged;
  }
  throw new AppError('data', 'was changed while it was merged, several times', { where: path, mend: 'let nothing else write to it while the daemon runs' });
}

async function mergeWith(path: string, source: EntrySource, writer: EntryWriter | null): Promise<Merged> {
  const reader = await openEntries(path);
  try {
    return await mergeEntries(reader, source, writer);
  } finally {
    await reader?.close();
  }
}

/** Does the work; where the file is of another layout, once more after it was brought into this program's. */
async function inOurLayout<T>(path: string, options: FileOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OtherLayout)) throw error;
  }
  const corrupt = await bringIntoLayout(path);
  if (corrupt !== null) options.onCorrupt(corrupt);
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OtherLayout)) throw error;
    throw new AppError('data', `holds entries that cannot be sorted: ${error.message}`, { where: path, mend: 'take the entries with odd names out of it', cause: error });
  }
}

/**
 * Rewrites a file of any other layout, parsed whole, in this program's: once, for it is merged as a stream from then on. A corrupt one
 * is set aside instead; null where it is none.
 */
async function bringIntoLayout(path: string): Promise<Corrupt | null> {
  const before = await identityOf(path);
  const { size } = await lstat(path);
  if (size > MAX_PARSED_BYTES) throw new AppError('data', `has ${Math.round(size / 1_000_000)} MB of another layout than this program's`, { where: path, mend: 'move it away: it is made anew' });
  let content: z.output<typeof fileSchema>;
  try {
    content = fileSchema.parse(JSON.parse((await readFile(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NOFOLLOW })).replace(BYTE_ORDER_MARK, '')));
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
    return { reason: error instanceof SyntaxError ? `it is not JSON${positionIn(error)}` : 'it is not {"accounts": {…}}', setAsideAs: await setAside(path) };
  }
  if (isTooDeep(content)) return { reason: 'it is nested too deep', setAsideAs: await setAside(path) };
  const { accounts, ...beside } = content;
  await replaceFile(path, async (file) => {
    const writer = createEntryWriter(file);
    for (const name of sortNames(Object.keys(accounts))) {
      const line = Buffer.from(entryLine(name, accounts[name]));
      await writer.entry(line, 0, line.length);
    }
    await writer.end(Object.entries(beside).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`));
    return true;
  }, MODE, async () => (await identityOf(path)) === before);
  return null;
}

/** Renames the file to a name that none has; one writer a folder, so none takes it meanwhile. */
async function setAside(path: string): Promise<string> {
  let name = `${path}.corrupt`;
  for (let number = 2; (await identityOf(name)) !== ''; number += 1) name = `${path}.corrupt-${number}`;
  await rename(path, name);
  return name;
}

/** As UTF-8 sorts them; texts sort in the same way where no character needs two units. */
function sortNames(names: string[]): string[] {
  return names.some((name) => /[\ud800-\udfff]/.test(name)) ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names.sort();
}

/** Changes whenever the file is written or replaced. */
async function identityOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await lstat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Where JSON.parse stopped. The rest of its message can quote the file, and an entry made by hand can hold a key. */
function positionIn(error: SyntaxError): string {
  const position = /\bat position (\d+)/.exec(error.message)?.[1];
  return position === undefined ? '' : ` (at character ${position})`;
}
