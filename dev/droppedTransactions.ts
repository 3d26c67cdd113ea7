import { createHash } from 'node:crypto';

/** Which transactions never arrive, told apart by their bytes. */
export interface Drops {
  /** Chooses the next so many that were never delivered. */
  dropNext(transactions: number): void;
  /** Whether this broadcast is lost. */
  takes(body: Buffer): boolean;
  noteDelivery(body: Buffer): void;
  /** Chooses none from here on, and lets the chosen ones through. */
  clear(): void;
}

export function createDrops(): Drops {
  let left = 0;
  const dropped = new Set<string>();
  const delivered = new Set<string>();
  const digest = (body: Buffer): string => createHash('sha256').update(body).digest('base64');
  return {
    dropNext: (transactions) => void (left += transactions),
    takes(body) {
      const key = digest(body);
      if (dropped.has(key)) return true;
      // One that the node may have already can't be dropped any more.
      if (left === 0 || delivered.has(key)) return false;
      left -= 1;
      dropped.add(key);
      return true;
    },
    noteDelivery: (body) => void delivered.add(digest(body)),
    clear() {
      left = 0;
      dropped.clear();
    },
  };
}
