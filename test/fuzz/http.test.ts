import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { nextAttempt } from '../../src/handlers/webhook/next.js';
import { post } from '../../src/handlers/webhook/post.js';
import { startHttp, type HttpServer } from '../../src/http/server.js';
import { createTokenCheck } from '../../src/http/token.js';
import { createLog } from '../../src/log.js';
import { createLogTail } from '../../src/logTail.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, hostileText, likeOneOf, toJson } from '../support/hostile.js';

const TOKEN = 'a-token-of-24-characters';
let server: HttpServer;
let faults: string[] = [];

beforeAll(async () => {
  const log = createLog({ level: 'warn', pretty: false, destination: { write: (line: string) => void faults.push(line) } });
  // No database answers there: what would ask it is refused as `network`, 503.
  const settings = { HTTP_HOST: '127.0.0.1', HTTP_PORT: 0, HTTP_TOKEN: TOKEN, DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/d', SYNC_INTERVAL: 300, FLOW_FUNDING_AMOUNT: 1n };
  const instance = { id: 'x', settings, log, now: Date.now, statistics: {}, network: { funders: [] }, node: {} };
  server = await startHttp({ instance: instance as never, logTail: createLogTail(), metricsText: () => Promise.resolve({ contentType: 'text/plain', body: '' }), readResources: () => Promise.resolve({}), readiness: () => [] });
  await server.warm();
});
afterAll(() => server?.stop());
afterEach(() => void vi.unstubAllGlobals());

/** Sends bytes and reads until the server ends the connection, or it has answered. */
function ask(bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket: Socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.end(bytes);
  });
}

const paths = fc.oneof(fc.constantFrom('/', '/healthz', '/readyz', '/metrics', '/login', '/api/status', '/api/cycles?limit=5', '/api/history?minutes=9', '/api/control', '/api/logs?follow=0', '/vendor/uPlot.esm.js', '/%2e%2e/%2e%2e/etc/passwd', '//x', '/api/%ff', '*'), hostileText.map((text) => `/api/cycles?limit=${encodeURIComponent(text.replace(/\p{Cs}/gu, ''))}`), hostileText.map((text) => `/${text.slice(0, 100)}`));
const headers = fc.array(
  fc.oneof(
    fc.constantFrom(`Authorization: Bearer ${TOKEN}`, `Authorization: Bearer ${TOKEN}`, 'Content-Type: application/json', 'Content-Type: multipart/form-data; boundary=x', 'Content-Type: application/x-www-form-urlencoded', 'Transfer-Encoding: chunked', 'Content-Length: 99999999999999999999', 'Content-Length: -1', 'Expect: 100-continue', 'Upgrade: websocket', 'Connection: upgrade', 'Cookie: wallet_sync=1.x', 'Origin: null', 'Sec-Fetch-Site: cross-site'),
    fc.tuple(fc.constantFrom('Cookie', 'Authorization', 'Origin', 'If-None-Match', 'Content-Type', 'X'), hostileText).map(([name, value]) => `${name}: ${value.slice(0, 500)}`),
  ),
  { maxLength: 5 },
);
const bodies = likeOneOf({ command: 'pause' }, { command: 'resync', auth_id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' }, 'token=x&token=y').map((value) => (typeof value === 'string' ? value : toJson(value)));
const request = fc.record({ method: fc.constantFrom('GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'get', '\0'), path: paths, headers, body: fc.oneof(fc.constant(''), bodies), declares: fc.boolean() }).map(({ method, path, headers, body, declares }) => `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers.map((line) => `${line}\r\n`).join('')}${declares ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : ''}\r\n${body}`);

test('10,000 requests of any bytes: an answer that is no fault of ours, or a closed connection; and it answers after them', async () => {
  await fuzz(fc.array(bytesLike(request), { minLength: 25, maxLength: 25 }), async (requests) => {
    faults = [];
    const answers = await Promise.all(requests.map(ask));
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 (1|2|3|4)\d\d|HTTP\/1\.1 503|$)/);
    expect(faults.filter((line) => /"kind":"internal"|http request failed/.test(line))).toEqual([]);
  }, { inputsARun: 25, leftBytes: 64_000_000 });
  expect(await ask(Buffer.from('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))).toMatch(/^HTTP\/1\.1 200/);
}, FUZZ_TIMEOUT_MS);

test('10,000 cookies, tokens and log-ins: none but the right one is let in', async () => {
  const check = createTokenCheck(TOKEN);
  const cookie = fc.oneof(hostileText, hostileText.map((text) => `wallet_sync=${text}`), hostileText.map((text) => `wallet_sync=9999999999999.${text}`));
  await fuzz(fc.record({ authorization: fc.option(fc.oneof(hostileText, hostileText.map((text) => `Bearer ${text}`)), { nil: undefined }), cookie: fc.option(cookie, { nil: undefined }), address: hostileText }), ({ authorization, cookie: given, address }) => {
    expect(check.admits({ authorization, cookie: given }, address)).not.toBe(true);
    expect(typeof check.login(authorization ?? '', address)).not.toBe('string');
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 answers of a webhook\'s receiver: delivered, given up, or tried again within 1.2 hours', async () => {
  const answer = fc.record({ status: fc.integer({ min: 200, max: 599 }), retryAfter: fc.option(hostileText, { nil: null }), body: fc.uint8Array({ maxLength: 50 }), attempts: fc.integer({ min: 1, max: 10_000 }) });
  const { signal } = new AbortController();
  await fuzz(answer, async ({ status, retryAfter, body, attempts }) => {
    const known = new Headers();
    try {
      if (retryAfter !== null) known.set('retry-after', retryAfter);
    } catch {
      // Not every text can stand in a header.
    }
    vi.stubGlobal('fetch', () => Promise.resolve(new Response([204, 205, 304].includes(status) ? null : body, { status, headers: known })));
    const given = await post({ id: 'x', body: '{}' }, { url: 'http://127.0.0.1:1', secret: `whsec_${Buffer.alloc(32).toString('base64')}`, signal });
    const next = nextAttempt(given, { attempts, ageMs: 1, random: 0.5 });
    if (next.kind === 'again') expect(next.afterMs >= 0 && next.afterMs <= 4_320_000).toBe(true);
  });
}, FUZZ_TIMEOUT_MS);
