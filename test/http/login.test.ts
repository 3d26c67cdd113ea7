import { describe, expect, it } from 'vitest';
import type { RouteEnv } from '../../src/http/deps.js';
import { loginRoutes } from '../../src/http/login.js';
import { createTokenCheck } from '../../src/http/token.js';

const TOKEN = 'a-token-of-16-ch';
async function login(headers: Record<string, string>): Promise<string | null> {
  const incoming = { socket: { remoteAddress: '127.0.0.1' } } as RouteEnv['Bindings']['incoming'];
  const answer = await loginRoutes(createTokenCheck(TOKEN)).request('/', { method: 'POST', body: new URLSearchParams({ token: TOKEN }), headers }, { incoming });
  expect(answer.status).toBe(303);
  return answer.headers.get('set-cookie');
}

describe('the cookie of a login', () => {
  it.each(['https', 'HTTPS', 'https, http'])('goes over TLS alone where the caller came by it: X-Forwarded-Proto %s', async (proto) => {
    expect(await login({ 'x-forwarded-proto': proto })).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  });

  it.each([{}, { 'x-forwarded-proto': 'http' }, { 'x-forwarded-proto': 'http, https' }])('is also sent by plain HTTP where he did not: %j', async (headers) => {
    expect(await login(headers)).toMatch(/; HttpOnly; SameSite=Strict$/);
  });
});
