import { chmod, chown, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.js';
import { AppError } from '../../src/errors.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { createRest } from '../../src/flow/rest.js';
import { migrate } from '../../src/journal/migrate.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';
import { listenToPostgres } from '../../src/streams/listenToPostgres.js';
import { createAdminApi } from '../../src/users/adminApi.js';
import { makeAuthority, type Certified } from '../support/certificates.js';
import { runCommand } from '../support/command.js';

const log = createLog({ level: 'silent' });
/** Reaches this machine (inet_aton), and is no name of it that the program takes for loopback: a host like any other. */
const ELSEWHERE = '127.1';
const authority = makeAuthority('the right authority');
const other = makeAuthority('another authority');

let postgres: Postgres;
let folder: string;
const file = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-sync-tls-'));
  await writeFile(file('ca.crt'), authority.ca);
  await writeFile(file('other.crt'), other.ca);
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Gives the running server this certificate, and takes TLS away again at the test's end. */
async function serveTls({ cert, key }: Certified): Promise<void> {
  const sql = (text: string) => postgres.query('supabase_admin', text);
  const [row] = await sql("select current_setting('data_directory') as data");
  const place = join(String(row?.['data']), 'tls');
  const { uid, gid } = await stat(String(row?.['data']));
  await mkdir(place, { recursive: true });
  await chown(place, uid, gid);
  for (const [name, text] of [['server.crt', cert], ['server.key', key]] as const) {
    await writeFile(join(place, name), text, { mode: 0o600 });
    await chmod(join(place, name), 0o600);
    await chown(join(place, name), uid, gid);
  }
  await sql("alter system set ssl_cert_file = 'tls/server.crt'");
  await sql("alter system set ssl_key_file = 'tls/server.key'");
  await sql('alter system set ssl = on');
  await postgres.restart();
  onTestFinished(async () => {
    await sql('alter system reset all');
    await postgres.restart();
  });
}

const urlFor = (host: string, query: string, role = 'postgres'): string => `${postgres.url(role).replace('127.0.0.1', host)}${query}`;

/** What the server says of this very connection, or the error of who connected. */
async function connect(url: string): Promise<unknown> {
  const journal = openJournal({ connectionString: url, log, maxConnections: 1 });
  try {
    const { rows } = await journal.query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0];
  } finally {
    await journal.close();
  }
}

describe('a Postgres with a certificate of its own authority', () => {
  it('is spoken to by TLS where its authority is known and its name is right, by pool, LISTEN, migrate and command alike', async () => {
    await serveTls(authority.issue([ELSEWHERE, 'localhost', '127.0.0.1']));
    const root = `sslrootcert=${file('ca.crt')}`;
    for (const query of [`?${root}`, `?sslmode=verify-full&${root}`, `?sslmode=require&${root}`, `?sslmode=verify-ca&${root}`, `?sslnegotiation=direct&${root}`]) {
      expect(await connect(urlFor(ELSEWHERE, query)), query).toEqual({ ssl: true, version: 'TLSv1.3' });
    }
    expect(await connect(urlFor('127.0.0.1', `?sslmode=verify-full&${root}`))).toMatchObject({ ssl: true });
    const url = urlFor(ELSEWHERE, `?${root}`);
    expect(await firstValueFrom(listenToPostgres({ connectionString: url, channels: ['c'], connectWithinMs: 30_000 }))).toEqual({ type: 'listening' });
    const seen = (await migrate({ connectionString: url, log })).length;
    expect(seen).toBeGreaterThan(10);
    expect(await runCommand(['--json', 'migrate'], { MIGRATE_DATABASE_URL: url })).toMatchObject({ code: 0, stdout: '{"applied":[]}\n' });
  });

  it('is not spoken to where its authority is another or unknown, and what mends it is said', async () => {
    await serveTls(authority.issue([ELSEWHERE]));
    for (const query of ['', '?sslmode=require', '?sslmode=verify-full', '?sslrootcert=system', `?sslmode=verify-full&sslrootcert=${file('other.crt')}`, `?sslmode=require&sslrootcert=${file('other.crt')}`]) {
      await expect(connect(urlFor(ELSEWHERE, query)), query).rejects.toMatchObject({ kind: 'usage', mend: expect.stringContaining('sslrootcert') as string });
      await expect(firstValueFrom(listenToPostgres({ connectionString: urlFor(ELSEWHERE, query), channels: ['c'], connectWithinMs: 30_000 })), query).rejects.toMatchObject({ kind: 'network' });
    }
    const { code, stderr } = await runCommand(['--json', 'migrate'], { MIGRATE_DATABASE_URL: urlFor(ELSEWHERE, '') });
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ mend: expect.stringContaining('to MIGRATE_DATABASE_URL') as string });
  });

  it('is not spoken to under a name that its certificate does not have, on any of the modes that verify', async () => {
    await serveTls(authority.issue(['db.example.org']));
    for (const mode of ['verify-full', 'verify-ca', 'require']) {
      await expect(connect(urlFor(ELSEWHERE, `?sslmode=${mode}&sslrootcert=${file('ca.crt')}`)), mode).rejects.toMatchObject({ kind: 'usage', where: 'postgres ERR_TLS_CERT_ALTNAME_INVALID' });
    }
  });

  it('is not spoken to when its certificate has run out', async () => {
    await serveTls(authority.issue([ELSEWHERE], { daysFromNow: -10 }));
    await expect(connect(urlFor(ELSEWHERE, `?sslrootcert=${file('ca.crt')}`))).rejects.toMatchObject({ where: 'postgres CERT_HAS_EXPIRED' });
  });

  it('is spoken to unchecked only where sslmode=no-verify and INSECURE_TRANSPORT both say so', async () => {
    await serveTls(other.issue(['db.example.org']));
    const url = urlFor(ELSEWHERE, '?sslmode=no-verify');
    expect(await connect(url)).toMatchObject({ ssl: true });
    const refused = await runCommand(['--json', 'migrate'], { DATABASE_URL: url });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('says sslmode=no-verify');
    expect((await runCommand(['--json', 'migrate'], { DATABASE_URL: url, INSECURE_TRANSPORT: ELSEWHERE })).code).toBe(0);
    expect((await runCommand(['--json', 'migrate'], { DATABASE_URL: url, INSECURE_TRANSPORT: ELSEWHERE, NODE_TLS_REJECT_UNAUTHORIZED: '0' })).stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED must not be 0');
  });
});

describe('a Postgres without TLS', () => {
  it('that is not this machine is not spoken to: its password never leaves, unless INSECURE_TRANSPORT names it', async () => {
    for (const query of ['', '?sslmode=require', '?sslmode=verify-full', '?sslmode=no-verify']) {
      await expect(connect(urlFor(ELSEWHERE, query)), query).rejects.toMatchObject({ kind: 'usage', message: 'The server does not support SSL connections', mend: expect.stringContaining('ssl=on') as string });
    }
    const refused = await runCommand(['--json', 'migrate'], { DATABASE_URL: urlFor(ELSEWHERE, '?sslmode=disable') });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('INSECURE_TRANSPORT');
    const allowed = await runCommand(['--json', 'migrate'], { DATABASE_URL: urlFor(ELSEWHERE, '?sslmode=disable'), INSECURE_TRANSPORT: ELSEWHERE });
    expect(allowed).toMatchObject({ code: 0 });
  });

  it('that INSECURE_TRANSPORT names is told at each start, with its host', async () => {
    const { stdout } = await runCommand(['run'], {
      DATABASE_URL: urlFor(ELSEWHERE, '?sslmode=disable', 'authenticator'),
      INSECURE_TRANSPORT: ELSEWHERE,
      SUPABASE_URL: 'http://127.0.0.1:1',
      SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length',
      NETWORK: 'emulator',
      FLOW_ACCESS_NODE: 'http://127.0.0.1:1',
      WALLET_ENCRYPTION_KEY: '00'.repeat(32),
      CONFIG_EXPORT: 'off',
      HTTP_PORT: '0',
    });
    const told = stdout.split('\n').filter((line) => line.includes('insecure connection')).map((line) => JSON.parse(line) as unknown);
    expect(told).toMatchObject([{ level: 40, setting: 'DATABASE_URL', host: ELSEWHERE, what: 'not encrypted' }]);
  });

  it('that is this machine is spoken to as it is', async () => {
    expect(await connect(urlFor('127.0.0.1', ''))).toMatchObject({ ssl: false });
    expect(await connect(urlFor('localhost', ''))).toMatchObject({ ssl: false });
  });
});

describe('an access node or Auth server', () => {
  const limiter = createLimiter({ scriptRps: 100, transactionRps: 100, eventRps: 100, readRps: 100 });
  const ask = async (url: string): Promise<unknown> => {
    const rest = createRest({ url, limiter, timeoutMs: 10_000, log });
    onTestFinished(() => rest.close());
    return rest.call({ kind: 'read', path: '/v1/network/parameters' });
  };
  const users = (url: string): Promise<unknown> => createAdminApi({ settings: { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length' } }).list(1, 1, AbortSignal.timeout(10_000));

  it('whose certificate nobody trusts is told nothing', async () => {
    let requests = 0;
    const server = createHttps({ ...authority.issue(['localhost', '127.0.0.1']) }, (_, answer) => {
      requests += 1;
      answer.end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(ask(url)).rejects.toMatchObject({ kind: 'network' });
    await expect(users(url)).rejects.toMatchObject({ kind: 'network' });
    expect(requests).toBe(0);
  });

  it('cannot send the daemon elsewhere, and off TLS, by a redirect', async () => {
    const seen: string[] = [];
    const server = createServer((request, answer) => {
      seen.push(request.url ?? '');
      if (request.url?.startsWith('/elsewhere')) answer.end('{}');
      else answer.writeHead(307, { location: '/elsewhere' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(ask(url)).rejects.toBeInstanceOf(AppError);
    await expect(users(url)).rejects.toBeInstanceOf(AppError);
    expect(seen).toHaveLength(2);
    expect(seen.some((path) => path.startsWith('/elsewhere'))).toBe(false);
  });
});
