import { lock } from 'proper-lockfile';

/** The right to write in a folder, of one process among those of this host or of others that share it. */
export interface FolderLock {
  /** Whether it is another's by now: this process was held up for too long. */
  isLost(): boolean;
  release(): Promise<void>;
}

/**
 * Takes a folder's lock; null where another holds it. It is renewed while this process runs; one of a killed process is free after
 * `staleMs` (at least 2,000). Throws the system's error.
 */
export async function lockFolder(folder: string, staleMs: number, onLost: (reason: string) => void): Promise<FolderLock | null> {
  let isLost = false;
  try {
    const release = await lock(folder, {
      stale: staleMs,
      onCompromised: (error) => {
        isLost = true;
        onLost(error.message);
      },
    });
    return {
      isLost: () => isLost,
      async release() {
        if (!isLost) await release().catch(() => undefined);
        isLost = true;
      },
    };
  } catch (error) {
    if (isTaken(error as NodeJS.ErrnoException)) return null;
    throw error;
  }
}

/** Held by another, or taken from us while we took it: of two who find a dead process's lock, one removes what the other has just made. */
function isTaken({ code, path, syscall }: NodeJS.ErrnoException): boolean {
  return code === 'ELOCKED' || (code === 'ENOENT' && syscall !== 'mkdir' && path?.endsWith('.lock') === true);
}
