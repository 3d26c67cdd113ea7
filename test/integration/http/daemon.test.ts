import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../../dev/daemon.js';
import { runCommand, startCommand } from '../../support/command.js';
import { INSERT_USER } from '../../support/database.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { ask, command, readStream, type Answer } from './client.js';

const TOKEN = 'a-token-for-the-tests-0123456789';

let world: DaemonWorld;
/** On loopback, without a token. */
let open: Daemon;
let url: string;
beforeAll(async () => {
  world = await startDaemonWorld();
  open = world.daemon();
  url = await urlOf(open);
  await sourceIs(open, 'notify', 'ok');
  await open.logged((line) => line['step'] === 'listening');
});
afterAll(() => world.stop());

const urlOf = async (daemon: Daemon): Promise<string> => String((await daemon.logged((line) => line.msg === 'http listening'))['url']);
const signUp = (authId: string) => world.stack.authPool.query(INSERT_USER, [authId]);
const json = (path: string): Promise<Record<string, unknown>> => ask(`${url}${path}`).then((answer) => answer.json());
const accessOf = (daemon: Daemon, path: string) => daemon.logged((line) => line.msg === 'http access' && line['path'] === path);

describe('a daemon on loopback', () => {
  it('answers /healthz and /readyz, and says in its journal where it answers', async () => {
    expect((await ask(`${url}/healthz`)).json()).toEqual({ ok: true });
    await until(10_000, async () => (await ask(`${url}/readyz`)).status === 200);
    expect(await json('/readyz')).toEqual({ ready: true, reasons: [], paused: false });
    const { rows } = await world.stack.servicePool.query('select http_url, host, pid from wallet_sync.instance where pid = $1', [open.pid]);
    expect(rows).toEqual([{ http_url: url, host: hostname(), pid: open.pid }]);
  });

  it('sends the strict headers with every answer, good or bad', async () => {
    for (const [path, method] of [['/healthz', 'GET'], ['/', 'GET'], ['/api/status', 'GET'], ['/nothing/here', 'GET'], ['/api/control', 'POST'], ['/metrics', 'GET'], ['/vendor/uPlot.esm.js', 'GET']] as const) {
      const { headers } = await ask(`${url}${path}`, { method });
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      );
      expect(headers, path).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
      expect(headers['cache-control'], path).toBe(path.startsWith('/vendor') ? 'no-cache' : path === '/' && headers['etag'] !== undefined ? 'no-cache' : 'no-store');
      expect(headers, path).not.toHaveProperty('access-control-allow-origin');
    }
    const stream = await readStream(`${url}/api/events`);
    stream.close();
    expect(stream.status).toBe(200);
  });

  it('answers each report in its shape; the status is what `status --json` prints', async () => {
    const { service, status } = (await json('/api/status')) as { service: Record<string, unknown>; status: Record<string, unknown> };
    expect(service).toEqual({ instance: expect.any(String), host: hostname(), pid: open.pid, version: expect.stringMatching(/^\d/), network: 'emulator', started_at: expect.stringMatching(/Z$/), now: expect.stringMatching(/Z$/), paused: false });
    const printed = JSON.parse((await runCommand(['status', '--json'], world.stack.env())).stdout) as object;
    expect(Object.keys(status).toSorted()).toEqual(Object.keys(printed).toSorted());

    await open.logged((line) => line.msg === 'sweep done');
    const { cycles } = (await json('/api/cycles?limit=1')) as { cycles: Record<string, unknown>[] };
    expect(cycles).toHaveLength(1);
    expect(cycles[0]).toMatchObject({ id: expect.any(Number), reason: 'start', total_wallets: 0, flow_funding_errors: 0, waiting: 0, set_apart: 0, flow_spent: '0.00000000', calls: expect.any(Object), errors: {}, stages: expect.any(Object) });

    const { funders } = (await json('/api/funders')) as { funders: Record<string, unknown>[] };
    const listed = JSON.parse((await runCommand(['funders', 'list', '--json'], world.stack.env())).stdout) as { funders: { name: string; slots: unknown[] }[] };
    expect(funders.map(({ name }) => name)).toEqual(listed.funders.map(({ name }) => name));
    expect(Object.keys(funders[0]!)).toEqual([...Object.keys(listed.funders[0]!), 'days_left']);
    expect(funders[0]).toMatchObject({ balance: expect.stringMatching(/^\d+\.\d{8}$/), low: false, slots: [expect.objectContaining({ key_index: 0, out_of_rotation: null })] });

    expect(await json('/api/errors')).toEqual({ errors: expect.any(Array) });
  });

  it('refuses what is wrong with what is wrong and what mends it, and repeats nothing of it', async () => {
    const wrong: Promise<Answer>[] = [
      ask(`${url}/api/cycles?limit=sup3r-secret`),
      ask(`${url}/api/history?minutes=0`),
      ask(`${url}/api/logs?level=sup3r-secret`),
      ask(`${url}/api/logs?user=sup3r-secret`),
      command(url, { command: 'sup3r-secret' }),
      command(url, { command: 'pause', auth_id: randomUUID() }),
      command(url, { command: 'resync', auth_id: 'sup3r-secret' }),
      ask(`${url}/api/control`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"sup3r-secret' }),
    ];
    for (const answer of await Promise.all(wrong)) {
      expect(answer.status).toBe(400);
      expect(answer.json()).toEqual({ error: expect.any(String), where: expect.any(String), mend: expect.any(String) });
      expect(answer.text).not.toContain('sup3r-secret');
    }
    expect((await ask(`${url}/api/control`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ command: 'x'.repeat(11_000) }) })).status).toBe(413);
    expect((await command(url, { command: 'retry', auth_id: randomUUID() })).status).toBe(409);
    expect((await ask(`${url}/api/control`, { method: 'POST', headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, body: '{"command":"pause"}' })).status).toBe(411);
    expect((await ask(`${url}/api/status`, { method: 'DELETE', headers: { 'content-type': 'application/json', 'content-length': '0' } })).status).toBe(404);
    expect((await ask(`${url}/api/events`, { method: 'HEAD' })).status).toBe(405);
  });

  it('refuses a name that points here from elsewhere (DNS rebinding)', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example']) {
      expect((await ask(`${url}/api/status`, { headers: { host } })).status, host).toBe(403);
      expect((await ask(`${url}/`, { headers: { host } })).status, host).toBe(403);
    }
    const { port } = new URL(url);
    for (const host of ['127.0.0.1', `localhost:${port}`, `[::1]:${port}`]) expect((await ask(`${url}/api/status`, { headers: { host } })).status, host).toBe(200);
  });

  it("refuses what another site's page sends, and a form; nothing of it was done", async () => {
    const { host } = new URL(url);
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { origin: 'http://127.0.0.1:1' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      expect((await command(url, { command: 'pause' }, headers as Record<string, string>)).status, JSON.stringify(headers)).toBe(403);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      expect((await ask(`${url}/api/control`, { method: 'POST', headers: { 'content-type': type }, body: '{"command":"pause"}' })).status, type).toBe(415);
    }
    expect((await ask(`${url}/api/control`, { method: 'POST', body: '{"command":"pause"}' })).status).toBe(415);
    expect((await json('/readyz'))['paused']).toBe(false);
    expect((await command(url, { command: 'resume' }, { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).json()).toEqual({ done: true, command: 'resume' });
  });

  it('tells 50 clients of a sign-up and its wallet; a pause holds it, a resume lets it through', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => readStream(`${url}/api/events`)));
    const all = (name: string, fits: (event: Record<string, unknown>) => boolean) => until(20_000, () => Promise.resolve(clients.every((client) => client.events(name).some(fits))));
    const isPaused = (paused: boolean) => (event: Record<string, unknown>) => (event['service'] as { paused: boolean }).paused === paused;
    await all('status', isPaused(false));

    expect((await command(url, { command: 'pause' })).status).toBe(200);
    await open.logged((line) => line.msg === 'paused');
    await all('status', isPaused(true));
    expect((await ask(`${url}/readyz`)).status).toBe(200);
    const authId = randomUUID();
    await signUp(authId);
    await all('sign-up', (event) => event['auth_id'] === authId);
    await all('status', (event) => (event['status'] as { waiting: number }).waiting === 1);
    expect(clients[0]!.events('ready').some((event) => event['auth_id'] === authId)).toBe(false);

    await command(url, { command: 'resume' });
    await all('ready', (event) => event['auth_id'] === authId);
    const ready = clients[0]!.events('ready').find((event) => event['auth_id'] === authId);
    expect(ready).toEqual({ auth_id: authId, address: expect.stringMatching(/^0x[0-9a-f]{16}$/), at: expect.stringMatching(/Z$/), waited_ms: expect.any(Number), source: expect.any(String), from_pool: expect.any(Boolean) });
    for (const client of clients) expect(client.events('ready').filter((event) => event['auth_id'] === authId)).toHaveLength(1);

    await command(url, { command: 'resync' });
    await all('cycle', (event) => event['reason'] === 'resync' && event['ended_at'] !== null);
    for (const client of clients) client.close();
  });

  it('logs each access once, without its query; /healthz only at debug', async () => {
    await ask(`${url}/api/cycles?limit=3&token=sup3r-secret`);
    await ask(`${url}/a/path/of/nobody?token=sup3r-secret`);
    const line = await accessOf(open, '/a/path/of/nobody');
    expect(line).toMatchObject({ level: 30, method: 'GET', status: 404, durationMs: expect.any(Number), remote: expect.stringContaining('127.0.0.1') });
    expect(open.lines.filter((each) => each['path'] === '/a/path/of/nobody')).toHaveLength(1);
    expect((await accessOf(open, '/healthz'))['level']).toBe(20);
    expect(JSON.stringify(open.lines)).not.toContain('sup3r-secret');
  });

  it('a port that is taken ends the start with exit 2 and says what mends it', async () => {
    const { port } = new URL(url);
    const second = world.daemon({ HTTP_PORT: port });
    const { code, stderr } = await second.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`HTTP_PORT ${port}: the port is taken[\\s\\S]*mend: .*HTTP_PORT`));
    expect(second.lines.some((line) => line.msg === 'wallet ready')).toBe(false);
  });
});

describe('wallet-sync logs', () => {
  const env = () => ({ DATABASE_URL: world.stack.env()['DATABASE_URL'] ?? '' });

  it("prints the last lines as NDJSON, and with --follow --user that user's, as they come; Ctrl-C exits 0", async () => {
    const last = await runCommand(['logs', '--limit', '5'], env());
    expect({ code: last.code, stderr: last.stderr }).toEqual({ code: 0, stderr: '' });
    expect(last.stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toHaveLength(5);

    const authId = randomUUID();
    const following = startCommand(['logs', '--follow', '--user', authId, '--level', 'info'], env());
    const before = open.lines.filter((line) => line['path'] === '/api/logs').length;
    await until(20_000, () => Promise.resolve(open.lines.filter((line) => line['path'] === '/api/logs').length > before));
    await signUp(authId);
    await until(20_000, () => Promise.resolve(following.stdout().includes('"msg":"wallet ready"')));
    const other = randomUUID();
    await signUp(other);
    await open.logged((line) => line.msg === 'wallet ready' && line['authId'] === other);
    following.kill('SIGINT');
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.some((line) => line['msg'] === 'wallet ready' && line['authId'] === authId)).toBe(true);
    for (const line of lines) expect(JSON.stringify(line)).toContain(authId);
  });

  it('merges several instances, each line marked with its host:pid; one that ends while it is followed is named, and the others go on', async () => {
    const second = world.daemon();
    await urlOf(second);
    await second.logged((line) => line['step'] === 'listening');
    const following = startCommand(['logs', '--follow', '--level', 'debug'], env());
    await Promise.all([open, second].map((daemon) => until(20_000, () => Promise.resolve(daemon.lines.filter((line) => line['path'] === '/api/logs').length > (daemon === open ? 1 : 0)))));

    const { stdout } = await runCommand(['logs', '--limit', '2000', '--level', 'debug'], env());
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(new Set(lines.map((line) => line['instance']))).toEqual(new Set([`${hostname()}:${open.pid}`, `${hostname()}:${second.pid}`]));
    const times = lines.map((line) => String(line['time']));
    expect(times).toEqual(times.toSorted());

    await second.stop();
    const authId = randomUUID();
    await signUp(authId);
    await until(20_000, () => Promise.resolve(following.stdout().includes(authId)));
    following.kill('SIGINT');
    const ended = await following.ended;
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(`${hostname()}:${second.pid} has ended its log`);
    expect(ended.stdout).toContain('"msg":"stopped"');
    expect(ended.stdout).toContain(authId);
  });

  it('with a wrong option exits 2, and with an instance that is not there 1', async () => {
    for (const args of [['--user', 'nobody'], ['--limit', 'many']]) expect((await runCommand(['logs', ...args], env())).code, args.join(' ')).toBe(2);
    const { code, stderr } = await runCommand(['logs', '--instance', 'nowhere:1'], env());
    expect(code).toBe(1);
    expect(stderr).toMatch(/no running instance is nowhere:1[\s\S]*mend:/);
  });
});

describe('a daemon that others reach', () => {
  let daemon: Daemon;
  let base: string;
  beforeAll(async () => {
    daemon = world.daemon({ HTTP_HOST: '0.0.0.0', HTTP_TOKEN: TOKEN });
    const published = new URL(await urlOf(daemon));
    expect(published.hostname).toBe(hostname().toLowerCase());
    base = `http://127.0.0.1:${published.port}`;
    await daemon.logged((line) => line['step'] === 'listening');
  });
  const bearer = { authorization: `Bearer ${TOKEN}` };

  it('answers nothing but /healthz and the way to log in to who does not know the token', async () => {
    expect((await ask(`${base}/healthz`)).status).toBe(200);
    for (const path of ['/readyz', '/metrics', '/api/status', '/api/cycles', '/api/history', '/api/funders', '/api/errors', '/api/resources', '/api/events', '/api/logs', '/main.js', '/vendor/uPlot.esm.js', '/nothing', '/healthz/', '/HEALTHZ']) {
      const answer = await ask(`${base}${path}`);
      expect(answer.status, path).toBe(401);
      expect(answer.json(), path).toEqual({ error: expect.any(String), mend: expect.any(String) });
    }
    expect((await command(base, { command: 'pause' })).status).toBe(401);
    const page = await ask(`${base}/`);
    expect(page.status).toBe(401);
    expect(page.text).toContain('name="token"');
  });

  it('lets in who sends the token, or has logged in with it; by whatever name it is called', async () => {
    expect((await ask(`${base}/api/status`, { headers: bearer })).status).toBe(200);
    expect((await ask(`${base}/api/status`, { headers: { ...bearer, host: 'wallets.example' } })).status).toBe(200);
    const login = (token: string) => ask(`${base}/login`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', origin: base, 'sec-fetch-site': 'same-origin' }, body: new URLSearchParams({ token }).toString() });
    const wrong = await login('sup3r-wrong-token-of-mine');
    expect(wrong.status).toBe(401);
    expect(wrong.text).not.toContain('sup3r-wrong');
    expect(wrong.headers['set-cookie']).toBeUndefined();
    const right = await login(TOKEN);
    expect(right.status).toBe(303);
    const cookie = right.headers['set-cookie']?.[0] ?? '';
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await ask(`${base}/api/status`, { headers: { cookie: cookie.split(';')[0]! } })).status).toBe(200);
    expect((await command(base, { command: 'pause' }, { cookie: cookie.split(';')[0]!, origin: 'https://evil.example' })).status).toBe(403);
  });

  it("gives its log to `wallet-sync logs` with the token alone", async () => {
    const env = { DATABASE_URL: world.stack.env()['DATABASE_URL'] ?? '' };
    const args = ['logs', '--instance', `${hostname()}:${daemon.pid}`];
    const refused = await runCommand(args, env);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/asks for its token[\s\S]*mend: set HTTP_TOKEN/);
    const given = await runCommand(args, { ...env, HTTP_TOKEN: TOKEN });
    expect(given.code).toBe(0);
    expect(given.stdout).toContain('"msg":"http listening"');
  });

  it('takes no more guesses of an address that was wrong too often, but the token itself, and never logs one', async () => {
    const wrong = () => ask(`${base}/api/status`, { headers: { authorization: 'Bearer sup3r-wrong-token-of-mine' } });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await wrong()).status);
    expect(statuses.at(-1)).toBe(429);
    expect((await ask(`${base}/api/status`, { headers: bearer })).status).toBe(200);
    expect(JSON.stringify(daemon.lines)).not.toContain('sup3r-wrong');
    expect(JSON.stringify(daemon.lines)).not.toContain(TOKEN);
  });
});

it('a stop ends open streams in order, and within a second', async () => {
  const events = await readStream(`${url}/api/events`);
  const logs = await readStream(`${url}/api/logs?level=debug`);
  await until(10_000, () => Promise.resolve(events.events('status').length > 0));
  open.kill('SIGTERM');
  await Promise.all([events.ended, logs.ended]);
  expect(logs.events('log').at(-1)?.['msg']).toBe('stopped');
  const stopped = performance.now();
  const { code, stderr } = await open.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(performance.now() - stopped).toBeLessThan(1_500);
});
