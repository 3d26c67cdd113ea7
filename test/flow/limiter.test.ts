import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import { callsPerWindow, createLimiter, type Limiter } from '../../src/flow/limiter.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const limits = { scriptRps: 5, transactionRps: 50, eventRps: 30, readRps: 100 };

/** Asks for many calls at once and notes when each starts, in milliseconds of virtual time. */
function askFor(limiter: Limiter, kind: 'script' | 'transaction', count: number): number[] {
  const begin = Date.now();
  const starts: number[] = [];
  for (let i = 0; i < count; i++) void limiter.run(kind, async () => void starts.push(Date.now() - begin));
  return starts;
}

describe('the limiter', () => {
  it.each([
    ['script', 5, 40],
    ['transaction', 50, 400],
  ] as const)('never starts more %s calls in any second than %d a second allow', async (kind, rps, count) => {
    const starts = askFor(createLimiter(limits), kind, count);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(starts).toHaveLength(count);
    for (const [i, start] of starts.entries()) {
      const inWindow = starts.slice(i).filter((other) => other < start + 1_000).length;
      expect(inWindow).toBeLessThanOrEqual(callsPerWindow(rps));
    }
  });

  it('leaves headroom: a token bucket of the same rate never runs dry though the network delays each call by up to 150 ms', async () => {
    const starts = askFor(createLimiter(limits), 'transaction', 400);
    await vi.advanceTimersByTimeAsync(20_000);
    let tokens = 50;
    let last = 0;
    const arrivals = starts.map((start, i) => start + ((i * 7_919) % 151)).sort((a, b) => a - b);
    for (const arrival of arrivals) {
      tokens = Math.min(50, tokens + ((arrival - last) / 1_000) * 50) - 1;
      last = arrival;
      expect(tokens).toBeGreaterThanOrEqual(0);
    }
  });

  it('starts the first calls at once', async () => {
    const starts = askFor(createLimiter(limits), 'script', 4);
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toEqual([0, 0, 0, 0]);
  });

  it('lets a call of higher priority pass those that wait', async () => {
    const limiter = createLimiter(limits);
    const order: string[] = [];
    askFor(limiter, 'script', 4);
    void limiter.run('script', async () => void order.push('sweep'), { priority: 0 });
    void limiter.run('script', async () => void order.push('user'), { priority: 10 });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(order).toEqual(['user', 'sweep']);
  });

  it('a rate-limit error slows its whole kind, and no other, for as long as the peer asks', async () => {
    const limiter = createLimiter(limits);
    const refused = limiter.run('transaction', () => Promise.reject(new AppError('rate-limit', 'slow', { retryAfterMs: 5_000 })));
    await expect(refused).rejects.toMatchObject({ kind: 'rate-limit' });
    const slowed = askFor(limiter, 'transaction', 1);
    const others = askFor(limiter, 'script', 1);
    await vi.advanceTimersByTimeAsync(4_900);
    expect([slowed, others]).toEqual([[], [0]]);
    await vi.advanceTimersByTimeAsync(200);
    expect(slowed).toEqual([5_000]);
  });

  it('any other error slows nothing', async () => {
    const limiter = createLimiter(limits);
    await expect(limiter.run('transaction', () => Promise.reject(new AppError('network', 'gone')))).rejects.toMatchObject({ kind: 'network' });
    const starts = askFor(limiter, 'transaction', 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toEqual([0]);
  });

  it('the longest of several pauses counts, and none is longer than 30 s', async () => {
    const limiter = createLimiter(limits);
    limiter.slowDown('transaction', 3_600_000);
    limiter.slowDown('transaction', 10);
    const starts = askFor(limiter, 'transaction', 1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts).toEqual([30_000]);
  });

  it('counts calls and those that wait', async () => {
    const limiter = createLimiter(limits);
    askFor(limiter, 'script', 10);
    await vi.advanceTimersByTimeAsync(0);
    expect(limiter.stats().script).toEqual({ calls: 4, waiting: 6 });
    expect(limiter.stats().read).toEqual({ calls: 0, waiting: 0 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(limiter.stats().script).toEqual({ calls: 10, waiting: 0 });
  });

  it.each([0, -1, NaN])('refuses a rate of %d', (rate) => {
    expect(() => createLimiter({ ...limits, scriptRps: rate })).toThrow(expect.objectContaining({ kind: 'usage' }));
  });

  it('keeps a rate below one call a second', async () => {
    const starts = askFor(createLimiter({ ...limits, scriptRps: 0.5 }), 'script', 3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(starts).toEqual([0, 2_000, 4_000]);
  });
});
