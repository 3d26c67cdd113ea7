import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Check, Finding, Surroundings } from '../../src/doctor/check.js';
import { accountsFolderCheck } from '../../src/doctor/checks/accountsFolder.js';
import { keyFilesCheck } from '../../src/doctor/checks/keyFiles.js';
import { transportCheck } from '../../src/doctor/checks/transport.js';
import { examine } from '../../src/doctor/examine.js';

const unused = (): never => {
  throw new Error('not opened here');
};
const URLS = { DATABASE_URL: 'postgresql://u:n0t-shown@db.example.org/d', SUPABASE_URL: 'https://p.supabase.co' };
async function look(check: Check, environment: Record<string, string>): Promise<Finding> {
  const surroundings: Surroundings = { environment, folder: '/nowhere', now: () => 0, journal: unused, chain: unused };
  const [finding] = await examine([{ ...check, needs: [] }], surroundings);
  return finding!;
}
function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wallet-sync-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('the doctor on transport', () => {
  it('is content with TLS everywhere', async () => {
    expect(await look(transportCheck, URLS)).toMatchObject({ state: 'ok' });
  });

  it('warns of each insecure connection that is allowed, and of names that allow nothing', async () => {
    const finding = await look(transportCheck, { ...URLS, SUPABASE_URL: 'http://kong:8000', MIGRATE_DATABASE_URL: 'postgresql://u:n0t-shown@postgres/d?sslmode=no-verify', INSECURE_TRANSPORT: 'kong,postgres,db.example.org' });
    expect(finding).toMatchObject({ state: 'warn', mend: expect.stringContaining('take its host out of INSECURE_TRANSPORT') as string });
    expect(finding.found).toBe('MIGRATE_DATABASE_URL: postgres is encrypted, but the certificate is not checked; SUPABASE_URL: kong is not encrypted; INSECURE_TRANSPORT names db.example.org, which no insecure URL does');
  });

  it('finds a wrong MIGRATE_DATABASE_URL under its own name, before a migration does', async () => {
    expect(await look(transportCheck, { ...URLS, MIGRATE_DATABASE_URL: 'postgresql://u:n0t-shown@postgres/d?sslmode=disable' })).toMatchObject({ state: 'fail', found: expect.stringMatching(/MIGRATE_DATABASE_URL says sslmode=disable/) as string });
    expect(await look(transportCheck, { ...URLS, MIGRATE_DATABASE_URL: 'wr0ng-value' })).toMatchObject({ state: 'fail', found: expect.stringMatching(/MIGRATE_DATABASE_URL must be a URL like/) as string });
  });
});

describe('the doctor on unencrypted keys', () => {
  it.each([
    ['mainnet', {}, 'ok', /no key is written unencrypted/],
    ['mainnet', { PKEY_FILES: 'on' }, 'warn', /mainnet keys are written to .*pkeys unencrypted/],
    ['mainnet', { PKEY_FILES: 'on', CONFIG_EXPORT: 'off' }, 'ok', /no key is written/],
    ['testnet', {}, 'ok', /as the Flow CLI needs them \(testnet\)/],
    ['testnet', { PKEY_FILES: 'off' }, 'ok', /no key is written/],
  ] as const)('on %s with %j: %s', async (NETWORK, changes, state, found) => {
    expect(await look(keyFilesCheck, { NETWORK, ACCOUNTS_DIR: useFolder(), ...changes })).toMatchObject({ state, found: expect.stringMatching(found) as string });
  });

  it('warns on mainnet of files that are left from before', async () => {
    const folder = useFolder();
    mkdirSync(join(folder, 'pkeys'));
    writeFileSync(join(folder, 'pkeys', 'a.pkey'), '');
    expect(await look(keyFilesCheck, { NETWORK: 'mainnet', ACCOUNTS_DIR: folder })).toMatchObject({ state: 'warn', mend: expect.stringContaining('shred') as string });
  });
});

describe('the doctor on links', () => {
  it('finds one for the folder, for pkeys and for a key file', async () => {
    const folder = useFolder();
    const [real, link] = [join(folder, 'real'), join(folder, 'link')];
    mkdirSync(join(real, 'pkeys'), { recursive: true, mode: 0o700 });
    symlinkSync(real, link);
    expect(await look(accountsFolderCheck, { ACCOUNTS_DIR: link })).toMatchObject({ state: 'fail', found: expect.stringContaining('is a link') as string });
    expect(await look(accountsFolderCheck, { ACCOUNTS_DIR: real })).toMatchObject({ state: 'ok' });
    symlinkSync('/etc/hostname', join(real, 'pkeys', 'a.pkey'));
    expect(await look(accountsFolderCheck, { ACCOUNTS_DIR: real })).toMatchObject({ state: 'warn', found: expect.stringContaining('links, folders or another user') as string });
    rmSync(join(real, 'pkeys'), { recursive: true });
    symlinkSync(folder, join(real, 'pkeys'));
    expect(await look(accountsFolderCheck, { ACCOUNTS_DIR: real })).toMatchObject({ state: 'fail', found: expect.stringMatching(/pkeys is a link/) as string });
  });
});
