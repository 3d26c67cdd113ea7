import { describe, expect, it } from 'vitest';
import { fingerprint } from '../src/fingerprint.js';
import { readSettings, SETTING_NAMES } from '../src/settings.js';
import { recordSettings } from '../src/settingsRecord.js';

const SECRETS = { password: 'p4ssw0rd-of-the-database', role: 'a-service-role-key-of-some-length', master: 'ab'.repeat(32), query: 'hidden-in-a-query' };
const ENVIRONMENT = {
  DATABASE_URL: `postgresql://wallet_sync_service:${SECRETS.password}@db.example.com:5432/postgres?sslpassword=${SECRETS.query}`,
  SUPABASE_URL: 'https://project.supabase.co',
  SUPABASE_SERVICE_ROLE_KEY: SECRETS.role,
  NETWORK: 'testnet',
  PKEY_FILES: 'on',
  WALLET_ENCRYPTION_KEY: SECRETS.master,
};

describe('the settings as the audit log keeps them', () => {
  const recorded = recordSettings(readSettings(ENVIRONMENT));

  it('hold no secret', () => {
    const text = JSON.stringify(recorded);
    for (const secret of [...Object.values(SECRETS), Buffer.from(SECRETS.master, 'hex').toString('base64')]) expect(text).not.toContain(secret);
  });

  it('hold nothing of the older service\'s passphrase, not even a fingerprint: who guesses it would see that he is right', () => {
    expect(recordSettings(readSettings({ ...ENVIRONMENT, ADOPT_ENCRYPTION_KEY: 'a passphrase of old' }))).toEqual(recorded);
  });

  it('tell where everything is, and what was set', () => {
    expect(recorded).toMatchObject({ DATABASE_URL: 'postgresql://wallet_sync_service@db.example.com:5432/postgres', SUPABASE_URL: 'https://project.supabase.co/', NETWORK: 'testnet', PKEY_FILES: 'on', POOL_SIZE: 25, REALTIME: true, FLOW_FUNDING_AMOUNT: '0.10000000' });
    for (const name of Object.keys(recorded)) expect(SETTING_NAMES).toContain(name);
  });

  it('show by eight digits whether a secret is still the same one', () => {
    expect(recorded['WALLET_ENCRYPTION_KEY']).toMatch(/^[0-9a-f]{8}$/);
    expect(recorded['WALLET_ENCRYPTION_KEY']).toBe(fingerprint('WALLET_ENCRYPTION_KEY', Buffer.from(SECRETS.master, 'hex')));
    expect(recordSettings(readSettings({ ...ENVIRONMENT, WALLET_ENCRYPTION_KEY: 'ac'.repeat(32) }))['WALLET_ENCRYPTION_KEY']).not.toBe(recorded['WALLET_ENCRYPTION_KEY']);
  });

  it('give one value another fingerprint under another name: none of them can be looked up elsewhere', () => {
    expect(fingerprint('HTTP_TOKEN', SECRETS.role)).not.toBe(fingerprint('SUPABASE_SERVICE_ROLE_KEY', SECRETS.role));
  });
});
