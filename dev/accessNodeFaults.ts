import type { CallKind } from '../src/flow/limiter.js';

/** One kind of call, or all. */
type Where = CallKind | 'all';

/** How the proxy misbehaves. Each fault holds for so many calls of its kind, in the order of being asked for, then ends. */
export interface ProxyFaults {
  /** Every call waits so many milliseconds before it goes on; 0 ends it. */
  delay(ms: number, kind?: Where): void;
  /** The connection breaks before the call is delivered. */
  cut(times: number, kind?: Where): void;
  /** The call is never answered and never delivered. */
  hang(times: number, kind?: Where): void;
  /** An answer that the node behind never gave; the call is not delivered. */
  answer(status: number, times?: number, kind?: Where, message?: string): void;
  /** The call is delivered and takes effect, and its answer is lost. */
  dropAnswerAfterDelivery(times: number, kind?: Where): void;
  /** Ends all faults. */
  clear(): void;
}

export type Fault = { readonly name: 'cut' } | { readonly name: 'hang' } | { readonly name: 'drop' } | { readonly name: 'answer'; readonly status: number; readonly message: string };

/** What the proxy itself asks. */
export interface FaultState extends ProxyFaults {
  delayOf(kind: CallKind): number;
  next(kind: CallKind): Fault | null;
}

export function createFaults(): FaultState {
  let planned: { where: Where; left: number; fault: Fault }[] = [];
  const delays = new Map<Where, number>();
  const plan = (times: number, where: Where, fault: Fault): void => void planned.push({ where, left: times, fault });

  return {
    delay: (ms, kind = 'all') => void delays.set(kind, ms),
    cut: (times, kind = 'all') => plan(times, kind, { name: 'cut' }),
    hang: (times, kind = 'all') => plan(times, kind, { name: 'hang' }),
    answer: (status, times = 1, kind = 'all', message = `fault: ${status}`) => plan(times, kind, { name: 'answer', status, message }),
    dropAnswerAfterDelivery: (times, kind = 'all') => plan(times, kind, { name: 'drop' }),
    clear() {
      planned = [];
      delays.clear();
    },
    delayOf: (kind) => Math.max(delays.get(kind) ?? 0, delays.get('all') ?? 0),
    next(kind) {
      planned = planned.filter((entry) => entry.left > 0);
      const entry = planned.find((candidate) => candidate.where === 'all' || candidate.where === kind);
      if (entry === undefined) return null;
      entry.left -= 1;
      return entry.fault;
    },
  };
}
