import type { AppError } from '../errors.js';
import type { ChainEvent } from '../flow/accessNode.js';
import type { LiveTransaction, TransactionKind } from '../journal/transactions.js';

/** Records how transactions of one kind ended. Each returns false where the end can't be told yet. */
export interface Settler {
  sealed(transaction: LiveTransaction, events: readonly ChainEvent[], sealedHeight: number): Promise<boolean>;
  failed(transaction: LiveTransaction, error: AppError, events: readonly ChainEvent[], sealedHeight: number): Promise<boolean>;
  /** Nothing is known of it beyond its expiry: looks for its traces on chain, then gives it up. */
  giveUp(transaction: LiveTransaction): Promise<boolean>;
}

export type Settlers = Readonly<Record<TransactionKind, Settler>>;
