/** What this process has done since its start. Saved with its heartbeat and at its end. */
export interface Statistics {
  assigned: number;
  deliveredBy: Record<string, number>;
  accountsMade: number;
  transactionsSent: number;
  transactionsSealed: number;
  transactionsFailed: number;
  sweeps: number;
  signals: Record<string, number>;
  /** How each source last reported itself. */
  sources: Record<string, { state: string; reason: string | null }>;
  /** How the access node last answered; null before its first answer. */
  accessNode: { state: string; reason: string | null; since: string } | null;
  lastError: { kind: string; message: string; at: string } | null;
}

/** All zero. */
export function createStatistics(): Statistics {
  return { assigned: 0, deliveredBy: {}, accountsMade: 0, transactionsSent: 0, transactionsSealed: 0, transactionsFailed: 0, sweeps: 0, signals: {}, sources: {}, accessNode: null, lastError: null };
}

/** Adds to one of the counts by name. */
export function count(counts: Record<string, number>, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}
