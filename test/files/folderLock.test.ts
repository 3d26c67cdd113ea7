import { mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFolder, type FolderLock } from '../../src/files/folderLock.js';

const STALE_MS = 2_000;
let base = '';
beforeEach(() => void (base = mkdtempSync(join(tmpdir(), 'wallet-sync-lock-'))));
afterEach(() => rmSync(base, { recursive: true, force: true }));

const take = (folder: string): Promise<FolderLock | null> => lockFolder(folder, STALE_MS, () => undefined);

it("many who take a dead process's lock at once: nobody fails, and it can be taken afterwards", async () => {
  for (let round = 0; round < 20; round += 1) {
    const folder = join(base, `accounts-${round}`);
    mkdirSync(folder);
    mkdirSync(`${folder}.lock`);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(`${folder}.lock`, longAgo, longAgo);
    const locks = await Promise.all(Array.from({ length: 16 }, () => take(folder)));
    await Promise.all(locks.flatMap((lock) => (lock === null ? [] : [lock.release()])));
    const next = await take(folder);
    expect(next).not.toBeNull();
    await next?.release();
  }
});

it('a folder that is not there is an error, not a lock of another', async () => {
  await expect(take(join(base, 'nowhere', 'accounts'))).rejects.toMatchObject({ code: 'ENOENT' });
});
