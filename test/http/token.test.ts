import { describe, expect, it } from 'vitest';
import { createTokenCheck } from '../../src/http/token.js';

const TOKEN = 'a-token-of-some-length';
const HERE = '10.0.0.1';

function world() {
  let now = 1_700_000_000_000;
  const check = createTokenCheck(TOKEN, () => now);
  const admits = (headers: { authorization?: string; cookie?: string }, address = HERE) => check.admits({ authorization: headers.authorization, cookie: headers.cookie }, address);
  return { check, admits, pass: (ms: number) => void (now += ms) };
}

describe('the token', () => {
  it('admits whoever sends it, and nobody else', () => {
    const { admits } = world();
    expect(admits({ authorization: `Bearer ${TOKEN}` })).toBe(true);
    expect(admits({ authorization: `bearer ${TOKEN}` })).toBe(true);
    for (const authorization of [undefined, '', TOKEN, 'Bearer', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`]) {
      expect(admits(authorization === undefined ? {} : { authorization })).toBe(false);
    }
  });

  it('is guessed at most ten times a minute from one address, which keeps nobody out who knows it', () => {
    const { admits, check, pass } = world();
    for (let i = 0; i < 5; i++) expect(admits({ authorization: 'Bearer wrong' })).toBe(false);
    for (let i = 0; i < 5; i++) expect(check.login('wrong', HERE)).toBe(false);
    expect(admits({ authorization: 'Bearer wrong' })).toBe(null);
    expect(check.login('wrong', HERE)).toBe(null);
    expect(admits({ authorization: `Bearer ${TOKEN}` })).toBe(true);
    expect(check.login(TOKEN, HERE)).toMatch(/^wallet_sync=/);
    expect(admits({ authorization: `Bearer ${TOKEN}` }, '10.0.0.2')).toBe(true);
    pass(60_001);
    expect(admits({ authorization: 'Bearer wrong' })).toBe(false);
  });
});

describe('a login', () => {
  it('gives a cookie that admits for 12 hours, is HttpOnly and SameSite=Strict, and does not hold the token', () => {
    const { admits, check, pass } = world();
    const set = check.login(TOKEN, HERE);
    expect(set).toMatch(/; HttpOnly; SameSite=Strict$/);
    expect(set).not.toContain(TOKEN);
    const cookie = (set as string).split(';')[0]!;
    expect(admits({ cookie })).toBe(true);
    expect(admits({ cookie: `other=1; ${cookie}; more=2` })).toBe(true);
    pass(12 * 3_600_000 - 1);
    expect(admits({ cookie })).toBe(true);
    pass(2);
    expect(admits({ cookie })).toBe(false);
  });

  it('of an altered cookie, or of another token, is none', () => {
    const { admits, check } = world();
    const cookie = (check.login(TOKEN, HERE) as string).split(';')[0]!;
    const [name, value = ''] = cookie.split('=');
    const [expires = '', signature = ''] = value.split('.');
    for (const forged of [`${Number(expires) + 1}.${signature}`, `${expires}.${signature.slice(1)}`, `${expires}.`, `.${signature}`, expires, '', `1e20.${signature}`]) {
      expect(admits({ cookie: `${name}=${forged}` })).toBe(false);
    }
    const other = (createTokenCheck('another-token-altogether', () => 1_700_000_000_000).login('another-token-altogether', HERE) as string).split(';')[0]!;
    expect(admits({ cookie: other })).toBe(false);
  });
});
