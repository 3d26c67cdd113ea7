import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyPair, type KeyPair } from '../../src/flow/keys.js';
import { packagePath } from '../../src/packagePath.js';
import { createVault } from '../../src/secrets.js';
import { runCommand, type Ended } from '../support/command.js';
import { startDatabase, type Database } from '../support/database.js';

const MASTER_KEY = randomBytes(32);
const vault = createVault(MASTER_KEY);
const USER = '5b0c7d1e-1111-4222-8333-944445555666';
const ADDRESS = '0x179b6b1cb6755e31';
const pair = generateKeyPair();
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const hasScript = spawnSync('script', ['--version']).status === 0;

let database: Database;
let folder: string;
let env: Record<string, string>;
/** The number of the user's account. */
let account: string;
beforeAll(async () => {
  database = await startDatabase();
  folder = mkdtempSync(join(tmpdir(), 'keys-export-'));
  env = { DATABASE_URL: database.serviceUrl, WALLET_ENCRYPTION_KEY: MASTER_KEY.toString('hex') };
  account = await insertAccount(pair, USER, ADDRESS);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database?.stop();
});

async function insertAccount(key: KeyPair, authId: string | null, address: string, sealed = vault.seal(key.privateKey, key.publicKey)): Promise<string> {
  const [row] = await database.asOwner<{ id: string }>(
    `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment)
     select case when $1::uuid is null then 'free' else 'assigned' end::wallet_sync.account_state, $2, $3, $4, $1, case when $1::uuid is null then null else nextval('wallet_sync.assignment') end returning id`,
    [authId, key.publicKey, sealed, address],
  );
  return row!.id;
}

const keys = (args: readonly string[]): Promise<Ended> => runCommand(['keys', ...args], env);
const newestEntry = async (): Promise<number> => Number((await database.asOwner<{ id: string }>('select coalesce(max(id), 0) as id from wallet_sync.audit'))[0]!.id);
const auditAfter = (id: number) => database.asOwner<{ kind: string; auth_id: string | null; detail: Record<string, unknown> }>("select kind, auth_id, detail from wallet_sync.audit where id > $1 order by id", [id]);
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const pem = (key: 'x25519' | 'ec', name: string): { privatePath: string; publicPath: string } => {
  const made = key === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) : generateKeyPairSync('x25519');
  return {
    privatePath: file(`${name}.pem`, made.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()),
    publicPath: file(`${name}.pub`, made.publicKey.export({ format: 'pem', type: 'spki' }).toString(), 0o644),
  };
};

describe('without a receiver', () => {
  it('the plain key is on standard output alone, and the audit log has said so, and by whom, before', async () => {
    const from = await newestEntry();
    const ended = await keys(['export', USER.toUpperCase(), '--yes']);
    expect(ended).toMatchObject({ code: 0, stdout: `${pair.privateKey}\n` });
    expect(ended.stderr).toContain('Plain private key');
    const entries = await auditAfter(from);
    expect(entries).toEqual([
      { kind: 'key-opened', auth_id: USER, detail: expect.objectContaining({ why: 'to export it' }) as unknown },
      { kind: 'key-exported', auth_id: USER, detail: expect.objectContaining({ to: 'operator', flow_address: ADDRESS, by: expect.stringContaining('@') as string, role: 'wallet_sync_service' }) as unknown },
    ]);
    expect(ended.stderr + JSON.stringify(entries)).not.toContain(pair.privateKey);
  });

  it("an account's number or address names it too; --json tells whose it is", async () => {
    const whole = { user: USER, address: ADDRESS, public_key: pair.publicKey, private_key: pair.privateKey };
    for (const id of [account, ADDRESS]) expect(JSON.parse((await keys(['export', id, '--yes', '--json'])).stdout)).toEqual(whole);
  });

  it('nobody at a terminal and no --yes: exit 2, no key comes out, and nothing is written', async () => {
    const from = await newestEntry();
    const ended = await keys(['export', USER]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('--yes');
    expect(await auditAfter(from)).toEqual([]);
  });

  it.skipIf(!hasScript).each([
    ['the first 8 characters of the id', USER.slice(0, 8), 0],
    ['yes', 'yes', 1],
    ['y', 'y', 1],
  ])('on a terminal it asks first: %s', async (_, answer, code) => {
    const out = join(folder, 'out');
    writeFileSync(out, '');
    // script gives it a terminal; what it prints goes to a file, as an operator would have it.
    const command = `"${process.execPath}" "${packagePath('dist', 'src', 'cli.js')}" keys export ${USER} > "${out}"`;
    const { status, output } = spawnSync('script', ['-qec', command, '/dev/null'], { input: `${answer}\n`, env: { PATH: process.env.PATH ?? '', SHELL: '/bin/sh', ...env }, timeout: 60_000 });
    const said = output.map(String).join('');
    expect(status, said).toBe(code);
    expect(said).toContain(`Type ${USER.slice(0, 8)} to go on`);
    expect(said).not.toContain(pair.privateKey);
    expect(readFileSync(out, 'utf8')).toBe(code === 0 ? `${pair.privateKey}\n` : '');
  });
});

describe('encrypted to a receiver', () => {
  it.each(['x25519', 'ec'] as const)('who holds the private key (%s) opens it with keys open, which needs no setting', async (kind) => {
    const { privatePath, publicPath } = pem(kind, kind);
    const from = await newestEntry();
    const exported = await keys(['export', USER, '--yes', '--to', publicPath]);
    expect(exported.code, exported.stderr).toBe(0);
    expect(exported.stdout + exported.stderr).not.toContain(pair.privateKey);
    const envelope = JSON.parse(exported.stdout) as { receiver: string };
    expect(exported.stderr).toContain(envelope.receiver);
    expect((await auditAfter(from)).at(-1)).toMatchObject({ kind: 'key-exported', detail: { to: 'hpke', receiver: envelope.receiver } });
    const opened = await runCommand(['keys', 'open', file(`${kind}.json`, exported.stdout, 0o644), '--key', privatePath], {});
    expect(opened).toMatchObject({ code: 0, stdout: `${pair.privateKey}\n` });
    expect(opened.stderr).toContain(USER);
  });

  it.skipIf(!hasOpenssl)('a pair that openssl makes as the help says works, and a file that others can read is refused', async () => {
    const [privatePath, publicPath, envelopePath] = ['openssl.pem', 'openssl.pub', 'openssl.json'].map((name) => join(folder, name)) as [string, string, string];
    execFileSync('openssl', ['genpkey', '-algorithm', 'X25519', '-out', privatePath]);
    execFileSync('openssl', ['pkey', '-in', privatePath, '-pubout', '-out', publicPath]);
    const exported = await keys(['export', USER, '--yes', '--to', publicPath, '--json']);
    writeFileSync(envelopePath, exported.stdout);
    chmodSync(privatePath, 0o644);
    const refused = await runCommand(['keys', 'open', envelopePath, '--key', privatePath], {});
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('chmod 600');
    chmodSync(privatePath, 0o600);
    expect((await runCommand(['keys', 'open', envelopePath, '--key', privatePath], {})).stdout).toBe(`${pair.privateKey}\n`);
    symlinkSync(privatePath, join(folder, 'link.pem'));
    expect(await runCommand(['keys', 'open', envelopePath, '--key', join(folder, 'link.pem')], {})).toMatchObject({ code: 2, stdout: '' });
  });

  it('a private key given for --to is refused and never repeated, and nothing is opened', async () => {
    const { privatePath } = pem('x25519', 'mistake');
    const body = readFileSync(privatePath, 'utf8').split('\n')[1]!;
    const from = await newestEntry();
    for (const to of [privatePath, body]) {
      const ended = await keys(['export', USER, '--yes', '--to', to]);
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).toContain('is a private key');
      expect(ended.stderr).not.toContain(body);
    }
    expect(await auditAfter(from)).toEqual([]);
  });
});

describe('no key comes out', () => {
  it('where the audit log cannot be written', async () => {
    for (const kind of ['key-opened', 'key-exported']) {
      await database.asOwner(`alter table wallet_sync.audit add constraint refused check (kind <> '${kind}') not valid`);
      try {
        const ended = await keys(['export', USER, '--yes']);
        expect(ended).toMatchObject({ code: 1, stdout: '' });
        expect(ended.stderr).not.toContain(pair.privateKey);
      } finally {
        await database.asOwner('alter table wallet_sync.audit drop constraint refused');
      }
    }
  });

  it('of an account that is nobody\'s yet, of a user without a wallet, and for what is no id', async () => {
    const free = await insertAccount(generateKeyPair(), null, '0x01cf0e2f2f715450');
    const said = await Promise.all([free, randomUUID(), 'nobody'].map((id) => keys(['export', id, '--yes'])));
    expect(said.map(({ code, stdout }) => [code, stdout])).toEqual([[1, ''], [1, ''], [2, '']]);
    expect(said[0]!.stderr).toContain('belongs to no user');
  });

  it('where it is not that of its public key, or does not open', async () => {
    const [wrong, broken] = [randomUUID(), randomUUID()];
    const [one, two] = [generateKeyPair(), generateKeyPair()];
    await insertAccount(one, wrong, '0xf3fcd2c1a78f5eee', vault.seal(two.privateKey, one.publicKey));
    await insertAccount(two, broken, '0xe03daebed8ca0615', vault.seal(one.privateKey, one.publicKey));
    const from = await newestEntry();
    for (const user of [wrong, broken]) expect(await keys(['export', user, '--yes'])).toMatchObject({ code: 1, stdout: '' });
    expect((await auditAfter(from)).map((entry) => entry.kind)).toEqual(['key-opened', 'key-opened']);
  });
});
