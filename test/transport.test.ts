import { describe, expect, it } from 'vitest';
import { pickSettings, readMigrationUrl, readSettings, type Environment } from '../src/settings.js';
import { insecureConnections, unusedAllowances } from '../src/transport.js';
import { faultOf } from './support/faultOf.js';

const REQUIRED: Environment = {
  DATABASE_URL: 'postgresql://u:pw@db.example.org:5432/d',
  SUPABASE_URL: 'https://p.supabase.co',
  SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length',
  NETWORK: 'testnet',
  WALLET_ENCRYPTION_KEY: '00'.repeat(32),
};
const messageFor = (changes: Environment): string => faultOf(() => readSettings({ ...REQUIRED, ...changes })).message;
const DISABLED = 'postgresql://u:n0t-shown@postgres:5432/d?sslmode=disable';

describe('a connection without TLS to a host that is not this machine', () => {
  it.each([
    ['SUPABASE_URL', 'http://p.supabase.co'],
    ['SUPABASE_URL', 'http://kong:8000'],
    ['FLOW_ACCESS_NODE', 'http://access.node.example:8888'],
    ['FLOW_ACCESS_NODE', 'http://10.1.2.3:8888'],
    ['FLOW_ACCESS_NODE', 'http://emulator:8888'],
    ['DATABASE_URL', DISABLED],
    ['DATABASE_URL', 'postgresql://u:n0t-shown@192.168.0.4/d?sslmode=disable'],
    ['DATABASE_URL', 'postgresql://u:n0t-shown@db.internal/d?sslmode=no-verify'],
  ])('is refused with its mend: %s=%s', (name, url) => {
    const message = messageFor({ [name]: url });
    expect(message).toMatch(new RegExp(`^one setting is missing or wrong:\\n  ${name} `));
    expect(message).toContain('INSECURE_TRANSPORT');
    expect(message).not.toContain('n0t-shown');
  });

  it('is refused for each command by itself, and MIGRATE_DATABASE_URL under its own name', () => {
    expect(faultOf(() => pickSettings({ DATABASE_URL: DISABLED }, ['DATABASE_URL'])).message).toContain('DATABASE_URL says sslmode=disable');
    expect(faultOf(() => readMigrationUrl({ ...REQUIRED, MIGRATE_DATABASE_URL: DISABLED })).message).toBe(
      'one setting is missing or wrong:\n  MIGRATE_DATABASE_URL says sslmode=disable, and its host is not this machine: use verify-full, with sslrootcert=FILE for a CA of its own; only where that is wanted, name its host in INSECURE_TRANSPORT',
    );
    expect(messageFor({ MIGRATE_DATABASE_URL: DISABLED })).toContain('MIGRATE_DATABASE_URL says sslmode=disable');
  });

  it('is allowed to the hosts that INSECURE_TRANSPORT names, to no others, and is listed', () => {
    const environment = { ...REQUIRED, DATABASE_URL: DISABLED, FLOW_ACCESS_NODE: 'http://emulator:8888', INSECURE_TRANSPORT: ' Postgres, emulator' };
    expect(readSettings(environment)).toMatchObject({ DATABASE_URL: DISABLED, INSECURE_TRANSPORT: ['Postgres', 'emulator'] });
    expect(insecureConnections(environment)).toEqual([
      { setting: 'DATABASE_URL', host: 'postgres', what: 'not encrypted' },
      { setting: 'FLOW_ACCESS_NODE', host: 'emulator', what: 'not encrypted' },
    ]);
    expect(messageFor({ ...environment, INSECURE_TRANSPORT: 'postgres' })).toContain('FLOW_ACCESS_NODE must begin with https://');
    expect(messageFor({ ...environment, INSECURE_TRANSPORT: 'postgres.example.org,emulator' })).toContain('DATABASE_URL says sslmode=disable');
    expect(messageFor({ ...environment, INSECURE_TRANSPORT: '*' })).toContain('INSECURE_TRANSPORT must be names of hosts');
  });

  it('is not made by naming its host alone: the URL must say it too', () => {
    expect(insecureConnections({ ...REQUIRED, INSECURE_TRANSPORT: 'db.example.org' })).toEqual([]);
    expect(unusedAllowances({ ...REQUIRED, INSECURE_TRANSPORT: 'db.example.org' })).toEqual(['db.example.org']);
  });

  it.each(['http://127.0.0.1:8000', 'http://localhost:8000', 'http://[::1]:8000'])('is free to this machine itself: %s', (url) => {
    expect(readSettings({ ...REQUIRED, SUPABASE_URL: url, FLOW_ACCESS_NODE: url, DATABASE_URL: 'postgresql://u@127.0.0.1/d' }).SUPABASE_URL).toBe(url);
    expect(insecureConnections({ ...REQUIRED, SUPABASE_URL: url, FLOW_ACCESS_NODE: url })).toEqual([]);
  });
});

describe('a process whose environment weakens TLS', () => {
  it.each([
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED must not be 0'],
    [{ NODE_OPTIONS: '--tls-min-v1.0' }, 'NODE_OPTIONS must not lower'],
    [{ NODE_OPTIONS: '--max-old-space-size=500 --tls-min-v1.1' }, 'NODE_OPTIONS must not lower'],
  ])('is refused: %j', (changes, says) => {
    expect(messageFor(changes)).toContain(says);
    expect(faultOf(() => pickSettings({ ...REQUIRED, ...changes }, ['DATABASE_URL'])).message).toContain(says);
  });

  it.each([{ NODE_TLS_REJECT_UNAUTHORIZED: '1' }, { NODE_OPTIONS: '--tls-min-v1.3' }, { NODE_EXTRA_CA_CERTS: '/etc/ca.pem' }])('is not: %j', (changes) => {
    expect(readSettings({ ...REQUIRED, ...changes }).NETWORK).toBe('testnet');
  });
});

describe('the URL of migrations', () => {
  it('is MIGRATE_DATABASE_URL, else DATABASE_URL, and its faults name the one it is', () => {
    expect(readMigrationUrl(REQUIRED)).toEqual({ url: REQUIRED['DATABASE_URL'], setting: 'DATABASE_URL' });
    const other = 'postgresql://postgres@other.example.org/d';
    expect(readMigrationUrl({ ...REQUIRED, MIGRATE_DATABASE_URL: other })).toEqual({ url: other, setting: 'MIGRATE_DATABASE_URL' });
    expect(readMigrationUrl({ ...REQUIRED, MIGRATE_DATABASE_URL: ' ' }).setting).toBe('DATABASE_URL');
    expect(faultOf(() => readMigrationUrl({ ...REQUIRED, MIGRATE_DATABASE_URL: 'wr0ng-value' })).message).toMatch(/\n {2}MIGRATE_DATABASE_URL must be a URL like/);
    expect(faultOf(() => readMigrationUrl({})).message).toContain('DATABASE_URL is missing');
  });
});
