export interface SharedReadOptions {
  /** An answer is given for at least so long, in milliseconds. */
  readonly atLeastMs: number;
  /** And for so many times as long as it took: what is slow takes no more than that share of the time. */
  readonly timesItsCost: number;
  readonly now?: () => number;
}

/**
 * One read for all who ask: those who ask while it is under way get its answer, and so do those who ask soon after. A failure is an answer
 * too: a database that is down is not asked by each.
 */
export function createSharedRead<T>(read: () => Promise<T>, { atLeastMs, timesItsCost, now = () => performance.now() }: SharedReadOptions): () => Promise<T> {
  let answer: Promise<T> | null = null;
  let goodUntil = Infinity;
  return () => {
    if (answer !== null && now() < goodUntil) return answer;
    const startedAt = now();
    goodUntil = Infinity;
    answer = read().finally(() => {
      goodUntil = now() + Math.max(atLeastMs, timesItsCost * (now() - startedAt));
    });
    return answer;
  };
}
