import { describe, expect, it } from 'vitest';
import { nextAttempt } from '../../src/handlers/webhook/next.js';
import { readRetryAfter, type Answer } from '../../src/handlers/webhook/post.js';
import { payloadsOf } from '../../src/journal/ready.js';

const answered = (status: number, retryAfterMs: number | null = null): Answer => ({ status, retryAfterMs });
const after = (answer: Answer, attempts = 1, ageMs = 0) => nextAttempt(answer, { attempts, ageMs, random: 0.5 });

describe('what follows from a receiver\'s answer', () => {
  it.each([200, 202, 204])('%i: delivered', (status) => {
    expect(after(answered(status))).toEqual({ kind: 'delivered' });
  });
  it.each([400, 410, 422])('%i: failed', (status) => {
    expect(after(answered(status))).toEqual({ kind: 'failed', error: `HTTP ${status}` });
  });
  it.each([401, 403, 404, 408, 429, 500, 502, 503, 504])('%i: tried again', (status) => {
    expect(after(answered(status))).toEqual({ kind: 'again', error: `HTTP ${status}`, afterMs: 5_000 });
  });
  it.each([301, 302, 307, 308])('%i: not followed, tried again, and said how to mend it', (status) => {
    expect(after(answered(status))).toMatchObject({ kind: 'again', error: expect.stringContaining('set WEBHOOK_URL') as string });
  });
  it('none: tried again', () => {
    expect(after({ status: null, reason: 'ECONNREFUSED' })).toEqual({ kind: 'again', error: 'no answer: ECONNREFUSED', afterMs: 5_000 });
  });
  it('the pauses grow to an hour, and end after a day', () => {
    const pauses: number[] = [];
    let ageMs = 0;
    for (let attempts = 1; ; attempts += 1) {
      const next = after(answered(500), attempts, ageMs);
      if (next.kind !== 'again') {
        expect(next).toEqual({ kind: 'failed', error: 'HTTP 500; given up after a day' });
        break;
      }
      pauses.push(next.afterMs / 1_000);
      ageMs += next.afterMs;
    }
    expect(pauses.slice(0, 8)).toEqual([5, 15, 45, 135, 405, 1_215, 3_600, 3_600]);
    expect(ageMs).toBeGreaterThan(22 * 3_600_000);
    expect(ageMs).toBeLessThanOrEqual(86_400_000 + 3_600_000 * 1.2);
  });
  it('not before a Retry-After, but no sooner than it would be anyway', () => {
    expect(after(answered(429, 60_000))).toMatchObject({ afterMs: 60_000 });
    expect(after(answered(503, 1))).toMatchObject({ afterMs: 5_000 });
    // A far date ends no message: it is asked again within the hour.
    expect(after(answered(503, 86_400_000))).toEqual({ kind: 'again', error: 'HTTP 503', afterMs: 3_600_000 });
  });
});

it.each([
  ['120', 120_000],
  ['Fri, 27 Nov 2026 12:01:00 GMT', 60_000],
  ['Fri, 27 Nov 2026 11:00:00 GMT', null],
  ['soon', null],
  [null, null],
])('Retry-After %s is %s ms', (text, ms) => {
  expect(readRetryAfter(text, Date.parse('2026-11-27T12:00:00Z'))).toBe(ms);
});

describe('payloads', () => {
  const wallets = Array.from({ length: 500 }, (_, n) => ({ auth_id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, address: `0x${String(n).padStart(16, '0')}` }));
  it('hold all wallets in order, each payload below 8,000 bytes', () => {
    const payloads = payloadsOf(wallets);
    expect(payloads.flatMap((payload) => (JSON.parse(payload) as { wallets: unknown[] }).wallets)).toEqual(wallets);
    for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
    expect(payloads).toHaveLength(6);
  });
  it('of nothing are none', () => {
    expect(payloadsOf([])).toEqual([]);
  });
});
