import { chmodSync, chownSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

const NOBODY = 65_534;

/** A fresh folder for each test, removed after it. */
export function useFolder(): { readonly path: string; in: (...parts: string[]) => string } {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wallet-sync-files-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return {
    get path() {
      return folder;
    },
    in: (...parts) => join(folder, ...parts),
  };
}

/** A file's permission bits. */
export const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

/** Does the work while a folder and its files can be read but not written. Root, who may write anywhere, becomes nobody for so long. */
export async function whileReadOnly<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const isRoot = process.getuid?.() === 0;
  const giveTo = (uid: number): void => {
    if (isRoot) for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) chownSync(path, uid, uid);
  };
  giveTo(NOBODY);
  chmodSync(folder, 0o500);
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    giveTo(0);
    chmodSync(folder, 0o700);
  }
}
