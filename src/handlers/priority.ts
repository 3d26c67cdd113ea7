import type { TransactionKind } from '../journal/transactions.js';

/** Of a sweep's calls to the access node: below 0, that of calls for users who wait, which the limiter lets pass first. */
export const SWEEP_PRIORITY = -1;

const PRIORITIES: Readonly<Record<TransactionKind, number>> = { create: 0, 'add-keys': 0, fund: SWEEP_PRIORITY, repair: SWEEP_PRIORITY };

/** The priority of a transaction's broadcasts. */
export const priorityOf = (kind: TransactionKind): number => PRIORITIES[kind];
