import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { createAdminApi } from '../../src/users/adminApi.js';
import { parseInstant } from '../../src/users/instant.js';
import { oldestFirst } from '../../src/users/oldestFirst.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, hostileText, likeOneOf, toJson } from '../support/hostile.js';

afterEach(() => void vi.unstubAllGlobals());

const ID = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
const user = { id: ID, aud: 'authenticated', email: 'a@example.com', created_at: '2026-01-01T00:00:00.88Z', email_confirmed_at: null, is_anonymous: false, user_metadata: { any: ['thing'] } };
const api = createAdminApi({ settings: { SUPABASE_URL: 'http://127.0.0.1:1', SUPABASE_SERVICE_ROLE_KEY: 'k'.repeat(40) } });
const { signal } = new AbortController();

test('10,000 answers of the Auth server: users, or refused; a redirect is never followed', async () => {
  const answer = fc.record({
    asks: fc.constantFrom('list', 'isGone'),
    status: fc.constantFrom(200, 200, 200, 200, 302, 400, 401, 404, 429, 500),
    headers: fc.dictionary(fc.constantFrom('x-total-count', 'link', 'retry-after'), fc.oneof(hostileText, fc.constantFrom('5', '</admin/users?page=2&per_page=2>; rel="next", </admin/users?page=3&per_page=2>; rel="last"'))),
    body: bytesLike(likeOneOf({ users: [user, { ...user, id: ID.replace('1', '2') }], aud: 'authenticated' }, user, { code: 404, error_code: 'user_not_found', msg: 'User not found' }).map(toJson)),
  });
  await fuzz(answer, async ({ asks, status, headers, body }) => {
    const known = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      try {
        known.set(name, value);
      } catch {
        // Not every text can stand in a header.
      }
    }
    vi.stubGlobal('fetch', (_: unknown, init: RequestInit) => {
      expect(init.redirect).toBe('manual');
      return Promise.resolve(new Response(new Uint8Array(body), { status, headers: known }));
    });
    if (asks === 'isGone') expect(typeof (await api.isGone(ID, signal))).toBe('boolean');
    else for (const { id, created_at } of (await api.list(1, 50, signal)).users) {
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(Number.isSafeInteger(parseInstant(created_at))).toBe(true);
    }
  }, { leftBytes: 64_000_000 });
}, FUZZ_TIMEOUT_MS);

test('10,000 lists of an Auth server that lies about pages and totals: each walk ends', async () => {
  const row = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), instant: fc.integer({ min: 0, max: 5 }) });
  const answer = fc.record({ rows: fc.array(row, { maxLength: 6 }).map((rows) => rows.toSorted((a, b) => b.instant - a.instant)), total: fc.oneof(fc.nat({ max: 20 }), fc.constantFrom(2 ** 53 - 1, 10 ** 12)) });
  await fuzz(fc.record({ answers: fc.array(answer, { minLength: 1, maxLength: 5 }), after: fc.constantFrom(-Infinity, 2) }), async ({ answers, after }) => {
    let asked = 0;
    const ask = () => {
      asked += 1;
      expect(asked).toBeLessThan(2_000);
      return Promise.resolve(answers[asked % answers.length] ?? { rows: [], total: 0 });
    };
    let groups = 0;
    for await (const group of oldestFirst(ask, { pageSize: 3, largestPage: 12, after })) {
      expect(group.length).toBeGreaterThan(0);
      // There are six instants, each given once.
      expect((groups += 1)).toBeLessThanOrEqual(6);
    }
  });
}, FUZZ_TIMEOUT_MS);
