import type { DecodedTransaction } from './decodeTransaction.js';
import type { Execution } from './execute.js';

/** One call of `send`, whatever came of it. */
export interface Send {
  readonly transaction: DecodedTransaction;
  /** The client that sent it. */
  readonly by: string;
  /** The newest block when it was sent. */
  readonly height: number;
  /** The network has it. */
  readonly taken: boolean;
}

export interface ExecutedTransaction extends Execution {
  readonly transaction: DecodedTransaction;
  /** Its block. */
  readonly height: number;
}

/** All that has happened on the simulated chain, in order. What a test may rely on in place of the journal. */
export interface Ledger {
  readonly sends: readonly Send[];
  readonly executed: readonly ExecutedTransaction[];
}

/** What can still become of a transaction: it has been executed, with or without a failure; it may be; it can't any more. */
export type Fate = 'done' | 'failed' | 'open' | 'dead';
