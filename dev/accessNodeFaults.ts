import type { CallKind } from '../src/flow/limiter.js';
import { createDrops } from './droppedTransactions.js';
import { createGate, type Gate } from './gate.js';

/** One kind of call, or all. */
type Where = CallKind | 'all';

/**
 * How the proxy misbehaves. A fault that is asked for so many times holds for so many calls of its kind (Infinity: until `clear`),
 * in the order of being asked for, then ends.
 */
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
  /** A broadcast is answered as accepted and not delivered; sent again, it is. */
  swallow(times: number): void;
  /** The next so many transactions that were never delivered are answered as accepted and not delivered, however often they are sent. */
  dropForEver(transactions: number): void;
  /** A broadcast is delivered twice and answered once. */
  duplicate(times: number): void;
  /** On: every result is answered as that of an unknown transaction, also where it is sealed. */
  pendingForEver(on: boolean): void;
  /**
   * Results and events come from a node so many blocks behind the one that answers everything else: a result in a block above its
   * height is unknown to it, and a range of events is cut at its height without a word. 0 ends it.
   */
  lag(blocks: number): void;
  /** Calls of a kind are delivered, and the answers that say it (2xx) are kept back until released. */
  holdAnswers(kind?: Where): Hold;
  /** On: calls are taken and nothing is delivered or answered. Off: all of it goes on, also calls whose clients have left. */
  freeze(on: boolean): void;
  /** Ends all faults: what was held goes on, what was dropped for ever may be sent again. */
  clear(): void;
}

export interface Hold {
  /** Resolves when the first call has been delivered, its answer kept back. */
  readonly delivered: Promise<void>;
  /** Lets the answers go, and later ones pass. */
  release(): void;
}

/** accept: 200 without delivery. drop: delivery without an answer. */
export type Fault =
  | { readonly name: 'cut' | 'hang' | 'accept' | 'drop' | 'duplicate' }
  | { readonly name: 'answer'; readonly status: number; readonly message: string };

/** What the proxy itself asks. */
export interface FaultState extends ProxyFaults {
  delayOf(kind: CallKind): number;
  next(kind: CallKind, body: Buffer): Fault | null;
  isPendingForEver(): boolean;
  blocksBehind(): number;
  /** Resolves where the node is not frozen. */
  awake(): Promise<void>;
  /** Called when a call was delivered and accepted; resolves when its answer may go. */
  mayAnswer(kind: CallKind): Promise<void>;
}

export function createFaults(): FaultState {
  let planned: { where: Where; left: number; fault: Fault }[] = [];
  const delays = new Map<Where, number>();
  const freezer = createGate();
  const holds = new Set<{ where: Where; gate: Gate; tell: () => void }>();
  const drops = createDrops();
  let pending = false;
  let behind = 0;
  const plan = (times: number, where: Where, fault: Fault): void => void planned.push({ where, left: times, fault });
  const fits = (where: Where, kind: CallKind): boolean => where === 'all' || where === kind;

  function takePlanned(kind: CallKind): Fault | null {
    planned = planned.filter((entry) => entry.left > 0);
    const entry = planned.find((candidate) => fits(candidate.where, kind));
    if (entry === undefined) return null;
    entry.left -= 1;
    return entry.fault;
  }

  return {
    delay: (ms, kind = 'all') => void delays.set(kind, ms),
    cut: (times, kind = 'all') => plan(times, kind, { name: 'cut' }),
    hang: (times, kind = 'all') => plan(times, kind, { name: 'hang' }),
    answer: (status, times = 1, kind = 'all', message = `fault: ${status}`) => plan(times, kind, { name: 'answer', status, message }),
    dropAnswerAfterDelivery: (times, kind = 'all') => plan(times, kind, { name: 'drop' }),
    swallow: (times) => plan(times, 'transaction', { name: 'accept' }),
    dropForEver: (transactions) => drops.dropNext(transactions),
    duplicate: (times) => plan(times, 'transaction', { name: 'duplicate' }),
    pendingForEver: (on) => void (pending = on),
    lag: (blocks) => void (behind = blocks),
    holdAnswers(kind = 'all') {
      const gate = createGate();
      gate.set('shut');
      let tell = (): void => undefined;
      const delivered = new Promise<void>((resolve) => (tell = resolve));
      const hold = { where: kind, gate, tell };
      holds.add(hold);
      const release = (): void => {
        holds.delete(hold);
        gate.set('open');
      };
      return { delivered, release };
    },
    freeze: (on) => freezer.set(on ? 'shut' : 'open'),
    clear() {
      planned = [];
      delays.clear();
      drops.clear();
      pending = false;
      behind = 0;
      for (const hold of holds) hold.gate.set('open');
      holds.clear();
      freezer.set('open');
    },
    delayOf: (kind) => Math.max(delays.get(kind) ?? 0, delays.get('all') ?? 0),
    next(kind, body) {
      if (kind !== 'transaction') return takePlanned(kind);
      if (drops.takes(body)) return { name: 'accept' };
      const fault = takePlanned(kind);
      if (fault === null || fault.name === 'drop' || fault.name === 'duplicate') drops.noteDelivery(body);
      return fault;
    },
    isPendingForEver: () => pending,
    blocksBehind: () => behind,
    awake: () => freezer.pass(),
    async mayAnswer(kind) {
      for (const hold of [...holds].filter((each) => fits(each.where, kind))) {
        hold.tell();
        await hold.gate.pass();
      }
    },
  };
}
