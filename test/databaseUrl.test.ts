import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { readDatabaseTls, toDatabaseConnection } from '../src/databaseUrl.js';
import { makeAuthority } from './support/certificates.js';
import { faultOf } from './support/faultOf.js';

const folder = mkdtempSync(join(tmpdir(), 'wallet-sync-url-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FAR = 'postgresql://u:pw@db.example.org:5432/d';
const HERE = 'postgresql://u:pw@127.0.0.1:5432/d';
/** pg's own reading of what it is given: the last word on whether TLS is used. */
const pgSsl = (url: string): unknown => (new pg.Client(toDatabaseConnection(url) as pg.ClientConfig) as unknown as { connectionParameters: { ssl: unknown; host: string } }).connectionParameters.ssl;

describe('a database URL', () => {
  it.each([
    [FAR, 'verified'],
    [`${FAR}?application_name=x`, 'verified'],
    [`${FAR}?sslmode=verify-full`, 'verified'],
    [`${FAR}?sslmode=verify-ca`, 'verified'],
    [`${FAR}?sslmode=require`, 'verified'],
    [`${FAR}?sslmode=no-verify`, 'unverified'],
    [`${FAR}?sslmode=disable`, 'none'],
    ['postgresql://u@10.0.0.5/d', 'verified'],
    ['postgresql://u@192.168.1.5/d', 'verified'],
    ['postgresql://u@postgres:5432/d', 'verified'],
    ['postgresql://u@db.internal/d', 'verified'],
    ['postgresql://u@[fd00::1]/d', 'verified'],
    ['postgresql://u@127.0.0.1.example.org/d', 'verified'],
    [HERE, 'none'],
    ['postgresql://u@localhost/d', 'none'],
    ['postgresql://u@[::1]:5432/d', 'none'],
    [`${HERE}?sslmode=require`, 'verified'],
    ['postgresql:///d?host=/var/run/postgresql', 'none'],
    ['postgresql://%2Fvar%2Frun%2Fpostgresql/d', 'none'],
  ])('%s is %s', (url, protection) => {
    expect(readDatabaseTls(url)).toMatchObject({ protection, faults: [] });
  });

  it.each([
    [`${FAR}?ssl=false`, 'sslmode=… instead of ssl'],
    [`${FAR}?ssl=0&sslmode=verify-full`, 'sslmode=… instead of ssl'],
    [`${FAR}?ssl=no-verify`, 'sslmode=… instead of ssl'],
    [`${FAR}?uselibpqcompat=true&sslmode=require`, 'uselibpqcompat'],
    [`${FAR}?sslmode=prefer`, 'must set sslmode'],
    [`${FAR}?sslmode=allow`, 'must set sslmode'],
    [`${FAR}?sslmode=Verify-Full`, 'must set sslmode'],
    [`${FAR}?sslmode=`, 'must set sslmode'],
    [`${FAR}?sslmode=verify-full&sslmode=disable`, 'must set sslmode once'],
    [`${HERE}?host=db.example.org`, '?host= is for the folder of a Unix socket'],
    [`${HERE}?hostaddr=10.0.0.1`, '?hostaddr='],
    [`${FAR}?port=6543`, '?port='],
    ['postgresql:///d', 'must name a host'],
    [`${FAR}?sslnegotiation=never`, 'sslnegotiation'],
  ])('%s is refused: %s', (url, says) => {
    expect(readDatabaseTls(url).faults.join('; ')).toContain(says);
  });

  it('that leads elsewhere by ?host= is judged by where it leads', () => {
    expect(readDatabaseTls(`${HERE}?host=db.example.org`)).toMatchObject({ host: 'db.example.org', protection: 'verified' });
  });
});

describe('what pg connects with', () => {
  const checked = { rejectUnauthorized: true, minVersion: 'TLSv1.2' };

  it.each([
    [HERE, false],
    [FAR, checked],
    [`${FAR}?sslmode=require`, checked],
    [`${FAR}?sslmode=verify-ca`, checked],
    [`${FAR}?sslmode=verify-full`, checked],
    [`${FAR}?sslmode=verify-full&sslrootcert=system`, checked],
    [`${FAR}?sslnegotiation=direct`, checked],
    [`${FAR}?sslmode=no-verify`, { ...checked, rejectUnauthorized: false }],
    [`${FAR}?sslmode=disable`, false],
  ])('for %s, as pg itself reads it', (url, ssl) => {
    expect(pgSsl(url)).toEqual(ssl);
  });

  it('is the same whatever PGSSLMODE says', () => {
    const before = process.env['PGSSLMODE'];
    try {
      for (const mode of ['disable', 'no-verify', 'prefer']) {
        process.env['PGSSLMODE'] = mode;
        expect(pgSsl(FAR)).toEqual(checked);
      }
    } finally {
      if (before === undefined) delete process.env['PGSSLMODE'];
      else process.env['PGSSLMODE'] = before;
    }
  });

  it('never loses its check to a parameter of the URL, whatever that is, unless the URL is refused or says so by sslmode', () => {
    const name = fc.constantFrom('ssl', 'sslmode', 'uselibpqcompat', 'sslnegotiation', 'rejectUnauthorized', 'checkServerIdentity', 'host', 'hostaddr', 'port', 'SSLMODE', 'ssl.rejectUnauthorized', 'application_name', 'options');
    const value = fc.constantFrom('0', '1', 'true', 'false', 'no-verify', 'disable', 'prefer', 'require', 'allow', '', 'verify-full', 'direct', '127.0.0.1', '/tmp', 'x y', '+');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), (pairs) => {
        const url = `${FAR}?${new URLSearchParams(pairs).toString()}`;
        const said = readDatabaseTls(url);
        if (said.faults.length > 0 || said.host === null) return;
        const ssl = pgSsl(url) as false | { rejectUnauthorized: boolean };
        expect(said.protection).toBe(ssl === false ? 'none' : ssl.rejectUnauthorized ? 'verified' : 'unverified');
        if (said.protection !== 'verified') expect(pairs.some(([each, mode]) => each === 'sslmode' && (mode === 'disable' || mode === 'no-verify'))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps user, password and other parameters as they are written', () => {
    const { connectionString } = toDatabaseConnection('postgresql://u:p%40w%25@db.example.org:5432/d?sslmode=verify-full&options=-c%20search_path%3Dx');
    const read = (new pg.Client({ connectionString }) as unknown as { connectionParameters: { user: string; password: string; options: string; host: string } }).connectionParameters;
    expect(read).toMatchObject({ user: 'u', password: 'p@w%', options: '-c search_path=x', host: 'db.example.org' });
    expect(toDatabaseConnection(`${HERE}?options=-c%20a`).connectionString).toBe(`${HERE}?options=-c%20a`);
  });

  it('takes the CA of sslrootcert, and refuses one that is missing or none, naming the file', () => {
    const { ca } = makeAuthority('ours');
    writeFileSync(join(folder, 'ca.crt'), ca);
    writeFileSync(join(folder, 'none.crt'), 'no certificate');
    expect(toDatabaseConnection(`${FAR}?sslrootcert=${join(folder, 'ca.crt')}`).ssl).toEqual({ ...checked, ca });
    expect(faultOf(() => toDatabaseConnection(`${FAR}?sslrootcert=${join(folder, 'none.crt')}`))).toMatchObject({ kind: 'usage', message: 'sslrootcert holds no certificate in PEM', where: join(folder, 'none.crt') });
    expect(faultOf(() => toDatabaseConnection(`${FAR}?sslrootcert=${join(folder, 'missing.crt')}`))).toMatchObject({ kind: 'usage', message: 'sslrootcert cannot be read (ENOENT)' });
  });
});
