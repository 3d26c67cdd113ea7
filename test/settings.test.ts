import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppError } from '../src/errors.js';
import { openMasterKey } from '../src/masterKey/openMasterKey.js';
import { LIMIT_SETTINGS, pickSettings, readDatabaseUrl, readSettings, SETTING_NAMES, type Environment } from '../src/settings.js';
import { faultOf } from './support/faultOf.js';

const REQUIRED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://wallet_sync_service:pw@db.example.org:5432/postgres',
  SUPABASE_URL: 'https://example.supabase.co',
  SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length',
  NETWORK: 'testnet',
  WALLET_ENCRYPTION_KEY: 'ab'.repeat(32),
};

const read = (changes: Environment = {}) => readSettings({ ...REQUIRED, ...changes });

const messageFor = (changes: Environment): string => faultOf(() => read(changes)).message;

/** The names that a message lists, a line each. */
const listed = (message: string): string[] => message.split('\n').slice(1).map((line) => line.trim().split(' ')[0] ?? '');

/** A wrong value for every setting that can have one. FLOW_JSON and ACCOUNTS_DIR take any text. */
const WRONG = {
  DATABASE_URL: 'mysql://u:wr0ng-value@h/p',
  SUPABASE_URL: 'wr0ng-value',
  SUPABASE_SERVICE_ROLE_KEY: 'wr0ng-value',
  NETWORK: 'wr0ng-value',
  FLOW_ACCESS_NODE: 'ftp://wr0ng-value',
  FUNDING_ACCOUNTS: ' , ,',
  WALLET_ENCRYPTION_KEY: 'wr0ng-value',
  INSECURE_TRANSPORT: 'wr0ng value',
  PROVISION: 'wr0ng-value',
  ASSIGN: 'wr0ng-value',
  USER_SOURCE: 'wr0ng-value',
  SYNC_INTERVAL: 'wr0ng-value',
  BACKLOG_POLL: '0',
  POOL_SIZE: '1.5',
  PAGE_SIZE: '0',
  SCRIPT_RPS: '0',
  TRANSACTION_RPS: '-1',
  EVENT_RPS: 'Infinity',
  READ_RPS: 'wr0ng-value',
  RATE_LIMIT_SCOPE: 'wr0ng-value',
  FLOW_FUNDING_THRESHOLD: '0,075',
  FLOW_FUNDING_AMOUNT: '1e-3',
  LIMIT_SHORT_WINDOW: '0',
  LIMIT_LONG_WINDOW: 'wr0ng-value',
  LIMIT_FLOW_SHORT: '1e3',
  LIMIT_FLOW_LONG: 'wr0ng-value',
  LIMIT_ACCOUNTS_SHORT: '0',
  LIMIT_WALLET_FUNDINGS_LONG: '-1',
  LIMIT_WALLET_FUNDINGS_EVER: 'none',
  FUNDER_FLOOR: 'off',
  TRANSACTION_EXPIRY: '601',
  REALTIME: 'wr0ng-value',
  CONFIG_EXPORT: 'wr0ng-value',
  PKEY_FILES: 'wr0ng-value',
  LOG_LEVEL: 'wr0ng-value',
  HTTP_HOST: 'wr0ng value',
  HTTP_PORT: '65536',
  HTTP_TOKEN: 'wr0ng-value',
};

describe('what is missing or wrong', () => {
  it('is listed in one message when nothing is set', () => {
    const fault = faultOf(() => readSettings({}));
    expect(fault.kind).toBe('usage');
    expect(fault.where).toBe('environment');
    expect(fault.mend).toContain('.env.example');
    expect(fault.message).toMatchInlineSnapshot(`
      "5 settings are missing or wrong:
        DATABASE_URL is missing
        SUPABASE_URL is missing
        SUPABASE_SERVICE_ROLE_KEY is missing
        NETWORK is missing: it must be mainnet, testnet or emulator
        WALLET_ENCRYPTION_KEY is missing"
    `);
  });

  it('is listed in one message when every setting is wrong at once', () => {
    const message = messageFor(WRONG);
    expect(listed(message).toSorted()).toEqual(Object.keys(WRONG).toSorted());
    expect(message).toContain(`${Object.keys(WRONG).length} settings are missing or wrong:\n`);
  });

  it('is listed together when some are missing and others wrong', () => {
    expect(listed(messageFor({ DATABASE_URL: undefined, NETWORK: 'polygon', POOL_SIZE: '-1' }))).toEqual(['DATABASE_URL', 'NETWORK', 'POOL_SIZE']);
  });

  it('is named alone when it is one', () => {
    expect(messageFor({ NETWORK: 'polygon' })).toBe('one setting is missing or wrong:\n  NETWORK must be mainnet, testnet or emulator');
  });

  it.each(Object.entries(WRONG))('is refused by itself: %s', (name, value) => {
    expect(listed(messageFor({ [name]: value }))).toEqual([name]);
  });

  it.each(Object.keys(REQUIRED))('counts an empty or blank variable as missing: %s', (name) => {
    for (const value of ['', ' ', '\t', undefined]) expect(messageFor({ [name]: value })).toContain(`${name} is missing`);
  });

  it.each(SETTING_NAMES.filter((name) => !(name in REQUIRED)))('takes the default for an empty or blank variable: %s', (name) => {
    expect(read({ [name]: '' })).toEqual(read());
    expect(read({ [name]: '  ' })).toEqual(read());
  });

  it('says which range a number must be in', () => {
    expect(messageFor({ SYNC_INTERVAL: '0' })).toContain('SYNC_INTERVAL must be a number of seconds from 1 to 86400');
    expect(messageFor({ TRANSACTION_EXPIRY: '9' })).toContain('TRANSACTION_EXPIRY must be a whole number of blocks from 10 to 600');
    expect(messageFor({ POOL_SIZE: '0.5' })).toContain('POOL_SIZE must be a whole number from 0 to 100000');
  });
});

describe('a secret', () => {
  const leaks = (error: AppError): string => `${error.explain()}\n${inspect(error, { depth: 10, showHidden: true })}\n${JSON.stringify(error)}`;

  it('is never echoed, whatever is wrong with it', () => {
    expect(leaks(faultOf(() => read(WRONG)))).not.toContain('wr0ng-value');
  });

  it('is never echoed in any setting, whatever its text', () => {
    // Marked, so that a short text isn't found by chance in a message.
    const value = fc.string({ minLength: 1, maxLength: 60 }).map((text) => `SeCrEt${text}`);
    fc.assert(
      fc.property(value, fc.subarray(Object.keys(WRONG), { minLength: 1 }), (text, names) => {
        let error: AppError;
        try {
          read({ NETWORK: 'none', ...Object.fromEntries(names.map((name) => [name, text])) });
          return;
        } catch (thrown) {
          error = thrown as AppError;
        }
        expect(leaks(error)).not.toContain('SeCrEt');
      }),
    );
  });

  it('is not repeated when another setting is the wrong one', () => {
    const text = leaks(faultOf(() => read({ NETWORK: 'none' })));
    for (const name of ['DATABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'WALLET_ENCRYPTION_KEY']) expect(text).not.toContain(REQUIRED[name]);
  });
});

describe('HTTP_TOKEN', () => {
  it.each(['0.0.0.0', '::', '10.0.0.5', 'example.org', '127.0.0.1.example.org'])('is required where HTTP_HOST is %s, and listed with the other faults', (host) => {
    expect(messageFor({ HTTP_HOST: host })).toBe('one setting is missing or wrong:\n  HTTP_TOKEN is missing: it is required where HTTP_HOST is not loopback');
    expect(listed(messageFor({ HTTP_HOST: host, POOL_SIZE: '-1' }))).toEqual(['POOL_SIZE', 'HTTP_TOKEN']);
    expect(read({ HTTP_HOST: host, HTTP_TOKEN: 'a-token-of-16-ch' }).HTTP_TOKEN).toBe('a-token-of-16-ch');
  });

  it.each(['127.0.0.1', 'localhost', '::1'])('is optional where HTTP_HOST is %s', (host) => {
    expect(read({ HTTP_HOST: host }).HTTP_TOKEN).toBeUndefined();
  });

  it('of fewer than 16 characters is refused', () => {
    expect(listed(messageFor({ HTTP_TOKEN: 'fifteen-letters' }))).toEqual(['HTTP_TOKEN']);
  });
});

describe('DATABASE_URL', () => {
  it('on port 6543 is refused with what to use instead', () => {
    const message = messageFor({ DATABASE_URL: 'postgresql://u:pw@pooler.example.org:6543/postgres' });
    expect(message).toContain('transaction pooler (port 6543)');
    expect(message).toContain('session pooler (port 5432)');
  });

  it.each(['postgres://u:pw@h/d', 'postgresql://u:pw@h:5432/d', 'postgresql://u:6543@h:5432/d?application_name=6543'])('may be %s', (url) => {
    expect(read({ DATABASE_URL: url }).DATABASE_URL).toBe(url);
  });

  it.each(['h:5432/d', 'http://h/d', 'localhost'])('may not be %s', (url) => {
    expect(messageFor({ DATABASE_URL: url })).toContain('DATABASE_URL must be a URL like postgresql://');
  });

  it('is read alone for the database commands, with the same faults', () => {
    expect(readDatabaseUrl({ DATABASE_URL: REQUIRED.DATABASE_URL })).toBe(REQUIRED.DATABASE_URL);
    expect(faultOf(() => readDatabaseUrl({})).message).toBe('one setting is missing or wrong:\n  DATABASE_URL is missing');
    expect(faultOf(() => readDatabaseUrl({ DATABASE_URL: '' })).message).toBe('one setting is missing or wrong:\n  DATABASE_URL is missing');
    expect(faultOf(() => readDatabaseUrl({ DATABASE_URL: 'postgres://u:pw@h:6543/d' })).message).toContain('6543');
    expect(faultOf(() => readDatabaseUrl({ DATABASE_URL: 'wr0ng-value' })).explain()).not.toContain('wr0ng-value');
  });
});

describe('settings by name', () => {
  it('are read without the others, with their defaults, and frozen', () => {
    const picked = pickSettings({ NETWORK: 'emulator', POOL_SIZE: 'wr0ng-value' }, ['NETWORK', 'READ_RPS', 'FUNDING_ACCOUNTS']);
    expect(picked).toEqual({ NETWORK: 'emulator', READ_RPS: 100 });
    expect(Object.isFrozen(picked)).toBe(true);
  });

  it('say all their faults at once, and nothing of the others', () => {
    expect(listed(faultOf(() => pickSettings({ NETWORK: 'polygon', POOL_SIZE: '-1' }, ['DATABASE_URL', 'NETWORK'])).message)).toEqual(['DATABASE_URL', 'NETWORK']);
  });
});

describe('WALLET_ENCRYPTION_KEY', () => {
  it('is 32 bytes, in hex or base64, with or without padding', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
        const key = Buffer.from(bytes);
        const base64 = key.toString('base64');
        for (const text of [key.toString('hex'), key.toString('hex').toUpperCase(), base64, base64.replace(/=$/, '')]) {
          expect((await openMasterKey(read({ WALLET_ENCRYPTION_KEY: text }).WALLET_ENCRYPTION_KEY)).equals(key)).toBe(true);
        }
      }),
    );
  });

  it('of any other length is refused', () => {
    for (const length of [0, 1, 16, 31, 33, 64]) {
      const key = Buffer.alloc(length, 7);
      for (const text of [key.toString('hex'), key.toString('base64')]) {
        expect(messageFor({ WALLET_ENCRYPTION_KEY: text })).toContain('WALLET_ENCRYPTION_KEY');
      }
    }
  });
});

describe('an amount of FLOW', () => {
  const amount = (text: string): bigint => read({ FLOW_FUNDING_AMOUNT: text, LIMIT_FLOW_SHORT: 'off', LIMIT_FLOW_LONG: 'off' }).FLOW_FUNDING_AMOUNT;

  it.each([
    ['0', 0n],
    ['0.00000001', 1n],
    ['0.075', 7_500_000n],
    ['0.1', 10_000_000n],
    ['1', 100_000_000n],
    ['1.50', 150_000_000n],
    ['9007199254.74099301', 900_719_925_474_099_301n],
  ])('%s is exact', (text, units) => {
    expect(amount(text)).toBe(units);
  });

  it('is exact for every number of smallest units', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), (units) => {
        expect(amount(`${units / 100_000_000n}.${String(units % 100_000_000n).padStart(8, '0')}`)).toBe(units);
      }),
    );
  });

  it.each(['-1', '+1', '.5', '1.', '1,5', '0.123456789', '1e3', '0x10', '12345678901', '1 FLOW'])('%s is refused', (text) => {
    expect(messageFor({ FLOW_FUNDING_AMOUNT: text })).toContain('at most 8 decimal places');
  });
});

describe('the webhook', () => {
  const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const URL = 'https://app.example.com/hooks/wallets';

  it.each([URL, 'http://127.0.0.1:8080/hook', 'http://localhost/hook', 'http://[::1]:8080/hook'])('goes to %s', (url) => {
    expect(read({ WEBHOOK_URL: url, WEBHOOK_SECRET: SECRET })).toMatchObject({ WEBHOOK_URL: url, WEBHOOK_SECRET: SECRET });
  });
  it.each([
    ['http://app.example.com/hook', 'must begin with https://'],
    ['http://127.0.0.1.example.com/hook', 'must begin with https://'],
    ['https://user:word@app.example.com/hook', 'must hold no user and no password'],
    ['ftp://app.example.com', 'must be a URL like'],
  ])('does not go to %s', (url, says) => {
    expect(messageFor({ WEBHOOK_URL: url, WEBHOOK_SECRET: SECRET })).toContain(says);
  });
  it.each(['secret', 'whsec_', 'whsec_short', `whsec_${Buffer.alloc(23).toString('base64')}`, `whsec_${Buffer.alloc(65).toString('base64')}`, SECRET.replace('whsec_', '')])('is not signed with %s', (secret) => {
    expect(messageFor({ WEBHOOK_URL: URL, WEBHOOK_SECRET: secret })).toContain('WEBHOOK_SECRET must be whsec_');
  });
  it('has neither URL nor secret alone', () => {
    expect(messageFor({ WEBHOOK_URL: URL })).toContain('WEBHOOK_SECRET is missing');
    expect(messageFor({ WEBHOOK_SECRET: SECRET })).toContain('WEBHOOK_URL is missing');
  });
});

/** Every limit that mainnet asks for. */
const SPENDING = { LIMIT_FLOW_SHORT: '100', LIMIT_FLOW_LONG: '1000', LIMIT_ACCOUNTS_SHORT: '500', LIMIT_WALLET_FUNDINGS_LONG: '3', LIMIT_WALLET_FUNDINGS_EVER: 'off', FUNDER_FLOOR: '0' };

describe('the spending limits', () => {
  it('must each be set on mainnet, all that are missing named at once, and nowhere else', () => {
    expect(listed(messageFor({ NETWORK: 'mainnet' }))).toEqual(Object.keys(SPENDING));
    expect(listed(messageFor({ ...SPENDING, NETWORK: 'mainnet', FUNDER_FLOOR: ' ' }))).toEqual(['FUNDER_FLOOR']);
    expect(read({ ...SPENDING, NETWORK: 'mainnet' }).NETWORK).toBe('mainnet');
  });

  it('must be set on mainnet for a command that sends, too, and not for one that only looks', () => {
    const environment = { ...REQUIRED, NETWORK: 'mainnet' };
    expect(listed(faultOf(() => pickSettings(environment, ['NETWORK', ...LIMIT_SETTINGS])).message)).toEqual(Object.keys(SPENDING));
    expect(pickSettings(environment, ['NETWORK', 'FUNDER_FLOOR'])).toEqual({ NETWORK: 'mainnet', FUNDER_FLOOR: 0n });
  });

  it('are off where they say so', () => {
    expect(read({ LIMIT_FLOW_SHORT: 'off', LIMIT_ACCOUNTS_SHORT: 'off', LIMIT_WALLET_FUNDINGS_LONG: 'off' })).toMatchObject({ LIMIT_FLOW_SHORT: null, LIMIT_ACCOUNTS_SHORT: null, LIMIT_WALLET_FUNDINGS_LONG: null });
  });

  it('in FLOW have room for one account, or are refused: else nothing is ever made', () => {
    expect(messageFor({ LIMIT_FLOW_SHORT: '0.51' })).toContain('LIMIT_FLOW_SHORT has no room for one account');
    expect(messageFor({ LIMIT_FLOW_LONG: '2', FLOW_FUNDING_AMOUNT: '1.6' })).toContain('LIMIT_FLOW_LONG has no room for one account');
    expect(read({ LIMIT_FLOW_SHORT: '0.511' }).LIMIT_FLOW_SHORT).toBe(51_100_000n);
  });
});

describe('what is not set', () => {
  it('has the documented defaults', () => {
    expect(read()).toEqual({
      ...REQUIRED,
      WALLET_ENCRYPTION_KEY: { kind: 'value' },
      FLOW_JSON: 'flow/flow.json',
      FUNDING_ACCOUNTS: undefined,
      PROVISION: 'all',
      ASSIGN: 'daemon',
      SYNC_INTERVAL: 300,
      BACKLOG_POLL: 5,
      POOL_SIZE: 25,
      PAGE_SIZE: 1_000,
      SCRIPT_RPS: 5,
      TRANSACTION_RPS: 50,
      EVENT_RPS: 30,
      READ_RPS: 100,
      RATE_LIMIT_SCOPE: 'instance',
      FLOW_FUNDING_THRESHOLD: 7_500_000n,
      FLOW_FUNDING_AMOUNT: 10_000_000n,
      LIMIT_SHORT_WINDOW: 3_600,
      LIMIT_LONG_WINDOW: 86_400,
      LIMIT_FLOW_SHORT: 200_000_000_000n,
      LIMIT_FLOW_LONG: 1_000_000_000_000n,
      LIMIT_ACCOUNTS_SHORT: 10_000,
      LIMIT_WALLET_FUNDINGS_LONG: 5,
      LIMIT_WALLET_FUNDINGS_EVER: 100,
      FUNDER_FLOOR: 0n,
      TRANSACTION_EXPIRY: 600,
      REALTIME: true,
      CONFIG_EXPORT: true,
      CYCLE_RETENTION: 90,
      HISTORY_RETENTION: 30,
      READY_NOTIFY: false,
      ACCOUNTS_DIR: 'flow/accounts',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 8_787,
      LOG_LEVEL: 'info',
      pkeyFiles: true,
    });
  });

  it('is not taken from variables that are no settings', () => {
    expect(Object.keys(read({ PATH: '/bin', HOME: '/home/x' }))).not.toContain('PATH');
  });

  it.each([
    ['mainnet', undefined, false],
    ['mainnet', 'off', false],
    ['mainnet', 'on', true],
    ['testnet', undefined, true],
    ['testnet', 'off', false],
    ['emulator', undefined, true],
    ['emulator', 'off', false],
  ])('on %s, PKEY_FILES=%s writes key files: %s', (network, setting, expected) => {
    expect(read({ ...SPENDING, NETWORK: network, PKEY_FILES: setting }).pkeyFiles).toBe(expected);
  });
});

describe('what is set', () => {
  it('is read as what it means', () => {
    expect(read({ POOL_SIZE: '0', SYNC_INTERVAL: '60', BACKLOG_POLL: '0.5', REALTIME: 'off', CONFIG_EXPORT: 'off', LOG_LEVEL: 'debug' })).toMatchObject({
      POOL_SIZE: 0,
      SYNC_INTERVAL: 60,
      BACKLOG_POLL: 0.5,
      REALTIME: false,
      CONFIG_EXPORT: false,
      LOG_LEVEL: 'debug',
    });
  });

  it('shares the rate limits between all instances when asked to', () => {
    expect(read({ RATE_LIMIT_SCOPE: 'shared' }).RATE_LIMIT_SCOPE).toBe('shared');
    expect(messageFor({ RATE_LIMIT_SCOPE: 'global' })).toContain('RATE_LIMIT_SCOPE must be instance or shared');
  });

  it.each([
    ['PROVISION', ['all', 'confirmed', 'non-anonymous'], 'PROVISION must be all, confirmed or non-anonymous'],
    ['ASSIGN', ['daemon', 'trigger'], 'ASSIGN must be daemon or trigger'],
    ['USER_SOURCE', ['postgres', 'admin-api'], 'USER_SOURCE must be postgres or admin-api'],
  ] as const)('%s is one of %j', (name, values, message) => {
    for (const value of values) expect(read({ [name]: value })[name]).toBe(value);
    expect(messageFor({ [name]: 'some' })).toContain(message);
  });

  it('names funding accounts, separated by commas, blanks aside', () => {
    expect(read({ FUNDING_ACCOUNTS: ' funder-1, funder-2,,' }).FUNDING_ACCOUNTS).toEqual(['funder-1', 'funder-2']);
  });

  it('cannot be altered afterwards', () => {
    expect(Object.isFrozen(read())).toBe(true);
  });
});
