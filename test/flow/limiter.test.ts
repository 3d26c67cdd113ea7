import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import { createLimiter, type Gate, type Limiter } from '../../src/flow/limiter.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const limits = { scriptRps: 5, transactionRps: 50, eventRps: 30, readRps: 100 };

/** Asks for many calls at once, each taking so many milliseconds, and notes when they start and when the server sees them. */
function askFor(limiter: Limiter, kind: 'script' | 'transaction', count: number, takes: (i: number) => { arrivesMs: number; endsMs: number } = () => ({ arrivesMs: 0, endsMs: 0 })): { starts: number[]; arrivals: number[] } {
  const begin = Date.now();
  const starts: number[] = [];
  const arrivals: number[] = [];
  for (let i = 0; i < count; i++) {
    const { arrivesMs, endsMs } = takes(i);
    void limiter.run(kind, async () => {
      starts.push(Date.now() - begin);
      arrivals.push(Date.now() - begin + arrivesMs);
      await new Promise((resolve) => setTimeout(resolve, endsMs));
    });
  }
  return { starts, arrivals };
}

/** Whether a token bucket that holds one second's worth gives every arrival a token. */
function bucketSuffices(arrivals: readonly number[], rps: number): boolean {
  let tokens = rps;
  let last = 0;
  return [...arrivals].sort((a, b) => a - b).every((arrival) => {
    tokens = Math.min(rps, tokens + ((arrival - last) / 1_000) * rps) - 1;
    last = arrival;
    return tokens >= 0;
  });
}

describe('the limiter', () => {
  it.each([
    ['script', 5, 40],
    ['transaction', 50, 400],
  ] as const)('never starts more %s calls in any second than %d', async (kind, rps, count) => {
    const { starts } = askFor(createLimiter(limits), kind, count);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(starts).toHaveLength(count);
    for (const [i, start] of starts.entries()) expect(starts.slice(i).filter((other) => other < start + 1_000).length).toBeLessThanOrEqual(rps);
  });

  it('uses the whole rate while calls are short', async () => {
    const { starts } = askFor(createLimiter(limits), 'transaction', 500);
    await vi.advanceTimersByTimeAsync(9_500);
    expect(starts).toHaveLength(500);
  });

  it('never empties a server\'s bucket of the same rate, however long each call is and whenever in it the server counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 60 }), async (shapes) => {
        const { arrivals } = askFor(createLimiter(limits), 'script', shapes.length, (i) => ({ endsMs: shapes[i]![0], arrivesMs: shapes[i]![0] * shapes[i]![1] }));
        await vi.advanceTimersByTimeAsync(120_000);
        return arrivals.length === shapes.length && bucketSuffices(arrivals, 5);
      }),
      { numRuns: 60 },
    );
  });

  it('starts the first calls at once', async () => {
    const { starts } = askFor(createLimiter(limits), 'script', 6);
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toEqual([0, 0, 0, 0, 0]);
  });

  it('answers as soon as the call ends, not when its place is free again', async () => {
    await expect(createLimiter(limits).run('script', () => Promise.resolve(7))).resolves.toBe(7);
  });

  it('lets a call of higher priority pass those that wait', async () => {
    const limiter = createLimiter(limits);
    const order: string[] = [];
    askFor(limiter, 'script', 5);
    void limiter.run('script', async () => void order.push('sweep'), { priority: 0 });
    void limiter.run('script', async () => void order.push('user'), { priority: 10 });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(order).toEqual(['user', 'sweep']);
  });

  it('a rate-limit error slows its whole kind, and no other, for as long as the peer asks', async () => {
    const limiter = createLimiter(limits);
    const refused = limiter.run('transaction', () => Promise.reject(new AppError('rate-limit', 'slow', { retryAfterMs: 5_000 })));
    await expect(refused).rejects.toMatchObject({ kind: 'rate-limit' });
    const { starts: slowed } = askFor(limiter, 'transaction', 1);
    const { starts: others } = askFor(limiter, 'script', 1);
    await vi.advanceTimersByTimeAsync(4_900);
    expect([slowed, others]).toEqual([[], [0]]);
    await vi.advanceTimersByTimeAsync(200);
    expect(slowed).toEqual([5_000]);
  });

  it('any other error slows nothing', async () => {
    const limiter = createLimiter(limits);
    await expect(limiter.run('transaction', () => Promise.reject(new AppError('network', 'gone')))).rejects.toMatchObject({ kind: 'network' });
    const { starts } = askFor(limiter, 'transaction', 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toEqual([0]);
  });

  it('the longest of several pauses counts, and none is longer than 30 s', async () => {
    const limiter = createLimiter(limits);
    limiter.slowDown('transaction', 3_600_000);
    limiter.slowDown('transaction', 10);
    const { starts } = askFor(limiter, 'transaction', 1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts).toEqual([30_000]);
  });

  it('counts calls and those that wait', async () => {
    const limiter = createLimiter(limits);
    askFor(limiter, 'script', 10);
    await vi.advanceTimersByTimeAsync(0);
    expect(limiter.stats().script).toEqual({ calls: 5, waiting: 5 });
    expect(limiter.stats().read).toEqual({ calls: 0, waiting: 0 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(limiter.stats().script).toEqual({ calls: 10, waiting: 0 });
  });

  it.each([0, -1, NaN])('refuses a rate of %d', (rate) => {
    expect(() => createLimiter({ ...limits, scriptRps: rate })).toThrow(expect.objectContaining({ kind: 'usage' }));
  });

  it('keeps a rate below one call a second', async () => {
    const { starts } = askFor(createLimiter({ ...limits, scriptRps: 0.5 }), 'script', 3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(starts).toHaveLength(3);
    expect(starts[1]).toBeGreaterThanOrEqual(2_000);
    expect(starts[2]).toBeGreaterThanOrEqual(4_000);
  });
});

/** A gate that lets calls in one by one, when told to, and notes what happens at it. */
function createTestGate(): { gate: Gate; seen: string[]; letIn(count?: number): Promise<void>; refuse(error: Error): Promise<void> } {
  const asking: { resolve(leave: () => Promise<void>): void; reject(error: Error): void }[] = [];
  const seen: string[] = [];
  const settle = () => vi.advanceTimersByTimeAsync(0);
  return {
    seen,
    gate: {
      enter: () => new Promise((resolve, reject) => asking.push({ resolve, reject })),
      pause: (kind, forMs) => (seen.push(`${kind} pauses ${forMs}`), Promise.resolve()),
    },
    async letIn(count = 1) {
      for (const one of asking.splice(0, count)) one.resolve(() => (seen.push('left'), Promise.resolve()));
      await settle();
    },
    async refuse(error) {
      asking.shift()?.reject(error);
      await settle();
    },
  };
}

describe('the limiter behind a gate', () => {
  it('starts a call when the gate lets it in, and leaves when the call has ended, not when its place is free', async () => {
    const { gate, seen, letIn } = createTestGate();
    const limiter = createLimiter({ ...limits, gate });
    let end: () => void = () => undefined;
    const run = limiter.run('script', () => (seen.push('started'), new Promise<void>((resolve) => (end = resolve))));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(seen).toEqual([]);
    expect(limiter.stats().script).toEqual({ calls: 0, waiting: 1 });
    await letIn();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(seen).toEqual(['started']);
    expect(limiter.stats().script).toEqual({ calls: 1, waiting: 0 });
    end();
    await run;
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(['started', 'left']);
  });

  it('leaves after a call that failed, too', async () => {
    const { gate, seen, letIn } = createTestGate();
    const refused = expect(createLimiter({ ...limits, gate }).run('script', () => Promise.reject(new AppError('network', 'gone')))).rejects.toMatchObject({ kind: 'network' });
    await letIn();
    await refused;
    expect(seen).toEqual(['left']);
  });

  it('keeps its own rate beside the gate\'s', async () => {
    const { gate, letIn } = createTestGate();
    const { starts } = askFor(createLimiter({ ...limits, gate }), 'script', 12);
    for (let i = 0; i < 30; i++) {
      await letIn(12);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(starts).toHaveLength(12);
    for (const [i, start] of starts.entries()) expect(starts.slice(i).filter((other) => other < start + 1_000).length).toBeLessThanOrEqual(5);
  });

  it('gives the place to the call that is most urgent when the gate opens, not to the one that came first', async () => {
    const { gate, letIn } = createTestGate();
    const limiter = createLimiter({ ...limits, gate });
    const order: string[] = [];
    for (const [name, priority] of [['sweep 1', 0], ['sweep 2', 0], ['user 1', 10], ['user 2', 10]] as const) {
      void limiter.run('script', async () => void order.push(name), { priority });
    }
    await vi.advanceTimersByTimeAsync(100);
    await letIn(3);
    await letIn();
    expect(order).toEqual(['user 1', 'user 2', 'sweep 1', 'sweep 2']);
  });

  it('fails a call with the gate\'s error, never lets it pass, and keeps no place for it', async () => {
    const { gate, letIn, refuse } = createTestGate();
    const limiter = createLimiter({ ...limits, scriptRps: 1, gate });
    const call = vi.fn(() => Promise.resolve());
    const failed = expect(limiter.run('script', call)).rejects.toMatchObject({ kind: 'network', message: 'no database' });
    const second = limiter.run('script', call);
    await refuse(new AppError('network', 'no database'));
    await failed;
    expect(call).not.toHaveBeenCalled();
    await letIn();
    await second;
    expect(call).toHaveBeenCalledTimes(1);
  });

  it('tells the gate of a rate-limit answer, with the time that the peer asks for, at most 30 s', async () => {
    const { gate, seen, letIn } = createTestGate();
    const limiter = createLimiter({ ...limits, gate });
    const refused = expect(limiter.run('transaction', () => Promise.reject(new AppError('rate-limit', 'slow', { retryAfterMs: 5_000 })))).rejects.toMatchObject({ kind: 'rate-limit' });
    await letIn();
    await refused;
    limiter.slowDown('event', 3_600_000);
    expect(seen).toEqual(['transaction pauses 5000', 'left', 'event pauses 30000']);
  });

  it('gives back what the gate grants during a pause of its own, and enters again afterwards', async () => {
    const { gate, seen, letIn } = createTestGate();
    const limiter = createLimiter({ ...limits, gate });
    const { starts } = askFor(limiter, 'script', 1);
    limiter.slowDown('script', 2_000);
    await letIn();
    expect([starts, seen]).toEqual([[], ['script pauses 2000', 'left']]);
    await vi.advanceTimersByTimeAsync(2_000);
    await letIn();
    expect(starts).toEqual([2_000]);
  });

  it('a gate that can neither be left nor paused fails no call', async () => {
    const gone = () => Promise.reject(new AppError('network', 'no database'));
    const limiter = createLimiter({ ...limits, gate: { enter: () => Promise.resolve(gone), pause: gone } });
    await expect(limiter.run('script', () => Promise.resolve(7))).resolves.toBe(7);
    limiter.slowDown('script', 1_000);
    await vi.advanceTimersByTimeAsync(5_000);
    await expect(limiter.run('script', () => Promise.resolve(8))).resolves.toBe(8);
  });
});
