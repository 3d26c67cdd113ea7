import { MAX_ACCOUNTS_PER_TRANSACTION } from '../flow/createAccounts.js';

/** Computation a transaction may use, less a tenth: costs differ between blocks and users. */
const EFFORT_TARGET = 0.9;
/** 25 accounts took 8,100 of 9,999 on the emulator, 30 fitted, 32 did not: where to begin before anything is known. */
const FIRST = 25;
/** The most that one transaction takes. */
const MOST = MAX_ACCOUNTS_PER_TRANSACTION;

export interface BatchSize {
  current(): number;
  /** A batch of `members` sealed with this execution effort, of `limit`. */
  noteEffort(members: number, effort: number, limit: number): void;
  /** A batch of `members` hit the computation limit. */
  noteTooLarge(members: number): void;
}

/** How many accounts fit one transaction: adapts from what the chain charges, since weights differ between networks and change. */
export function createBatchSize(): BatchSize {
  let size = FIRST;
  return {
    current: () => size,
    noteEffort(members, effort, limit) {
      if (members === 0 || effort <= 0) return;
      const fits = Math.floor((limit * EFFORT_TARGET) / (effort / members));
      // Grow by one at a time, and only when a batch of the whole size has fitted: the effort of a larger one is an extrapolation.
      size = Math.max(1, Math.min(MOST, fits, members >= size ? size + 1 : size));
    },
    noteTooLarge(members) {
      size = Math.max(1, Math.min(size, Math.floor(members / 2)));
    },
  };
}
