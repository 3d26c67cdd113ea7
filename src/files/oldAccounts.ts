import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { readSmallFile, WrongFile } from '../bounds/readSmallFile.js';
import { AppError, toAppError } from '../errors.js';

const BYTE_ORDER_MARK = /^\ufeff/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** 66 digits, and what editors put around them. */
const KEY_FILE_BYTES = 256;
/** A million entries have 250 MB. */
const CONFIG_BYTES = 400_000_000;

const fileSchema = z.looseObject({ accounts: z.record(z.string(), z.unknown()) });
const entrySchema = z.looseObject({
  address: z.string(),
  key: z.union([z.string(), z.looseObject({ location: z.string().optional(), privateKey: z.string().optional() })]).optional(),
});

/** An entry that an older service made for a user. */
export interface OldEntry {
  /** Lower case. */
  readonly authId: string;
  readonly address: string;
  /** The key's own text, where it stands in the entry itself. */
  readonly key: string | null;
}

/**
 * The entries of a flow-production.json that are named by a user's id, whatever wrote it; empty where there is no file. Others are made by hand, and left
 * alone. Read whole. Throws `data` where it is no configuration, `usage` where it is a link or no plain file.
 */
export async function readOldEntries(path: string): Promise<OldEntry[]> {
  const text = readPlainFile(path, CONFIG_BYTES);
  if (text === null) return [];
  if (typeof text !== 'string') throw new AppError('usage', text.refused, { where: path, mend: 'put the file itself there' });
  const parsed = fileSchema.safeParse(parseJson(text.replace(BYTE_ORDER_MARK, '')));
  if (!parsed.success) throw new AppError('data', 'it is not {"accounts": {…}}', { where: path, mend: 'mend the file, or move it away to adopt the table alone' });
  return Object.entries(parsed.data.accounts).flatMap(([name, entry]) => {
    const known = entrySchema.safeParse(entry);
    if (!UUID.test(name) || !known.success) return [];
    const { address, key } = known.data;
    return [{ authId: name.toLowerCase(), address, key: typeof key === 'string' ? key : (key?.privateKey ?? null) }];
  });
}

export type KeyFile =
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'text'; readonly text: string };

/** A user's key file, `pkeys/<auth_id>.pkey` in the folder: a plain file of this user (or root) that nobody else may read, through no link. Throws the system's error. */
export async function readOldKeyFile(folder: string, authId: string): Promise<KeyFile> {
  if (!UUID.test(authId)) return { kind: 'refused', reason: 'its name is no user id' };
  const pkeys = resolve(folder, 'pkeys');
  const stat = await lstat(pkeys).catch(() => null);
  if (stat === null) return { kind: 'missing' };
  if (!stat.isDirectory()) return { kind: 'refused', reason: 'pkeys is a link or no folder' };
  const text = readPlainFile(join(pkeys, `${authId}.pkey`), KEY_FILE_BYTES, refuseShared);
  if (text === null) return { kind: 'missing' };
  return typeof text === 'string' ? { kind: 'text', text } : { kind: 'refused', reason: text.refused };
}

/** Null where there is none. */
function readPlainFile(path: string, most: number, look?: (stat: Stats) => void): string | { readonly refused: string } | null {
  try {
    return readSmallFile(path, most, { followsLink: false, ...(look === undefined ? {} : { look }) });
  } catch (thrown) {
    if (thrown instanceof WrongFile) return { refused: thrown.message };
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP') return { refused: 'it is a link' };
    throw toAppError(thrown);
  }
}

/** A key that others can read, or that another user put there, is nobody's secret. */
function refuseShared({ mode, uid }: Stats): void {
  if ((mode & 0o077) !== 0) throw new WrongFile(`its mode is ${(mode & 0o777).toString(8).padStart(4, '0')}: others may read it`);
  if (uid !== 0 && uid !== process.getuid?.()) throw new WrongFile('it belongs to another user of this machine');
}

/** The parser's message can quote the file, and an entry can hold a key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
