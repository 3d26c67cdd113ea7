import { createDecipheriv, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packagePath } from '../../../src/packagePath.js';
import { createVault, type Vault } from '../../../src/secrets.js';
import { runCommand } from '../../support/command.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { dumpDatabase } from '../../support/dump.js';

const SETTINGS = { POOL_SIZE: '4', REALTIME: 'off' };
const USERS = 4;

let world: DaemonWorld;
let masterKey: Buffer;
let vault: Vault;
let stored: { auth_id: string; private_key: string; public_key: string }[];

const owner = <Row extends Record<string, unknown>>(sql: string, values: unknown[] = []) => world.stack.postgres.query<Row>('postgres', sql, values);

beforeAll(async () => {
  world = await startDaemonWorld();
  masterKey = Buffer.from(world.stack.env()['WALLET_ENCRYPTION_KEY']!, 'base64');
  vault = createVault(masterKey);
  const daemon = world.daemon(SETTINGS);
  await world.ready(await world.signUps(USERS));
  // One that is broken off would be gone on with.
  await until(60_000, async () => (await owner('select 1 from wallet_sync.cycle where ended_at is not null')).length > 0);
  await daemon.stop();
  stored = await owner('select auth_id, private_key, public_key from wallet_sync.account where auth_id is not null order by id');
});
afterAll(() => world?.stop());

/** Every file of the repository but what is made or fetched, as text. */
function repository(folder = packagePath('.')): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (['node_modules', 'dist', '.git'].includes(entry.name)) return [];
    if (entry.isDirectory()) return repository(path);
    return entry.isFile() && statSync(path).size < 4_000_000 ? [readFileSync(path, 'latin1')] : [];
  });
}

/** All 32 bytes that a text spells anywhere, in hex or in either alphabet of base64. */
function* spelt(text: string): Generator<Buffer> {
  for (const [run] of text.matchAll(/[0-9a-fA-F]{64,}/g)) for (let at = 0; at + 64 <= run.length; at++) yield Buffer.from(run.slice(at, at + 64), 'hex');
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{43,}/g)) for (let at = 0; at + 43 <= run.length; at++) yield Buffer.from(run.slice(at, at + 43), 'base64');
}

/** Whether a key opens one layer of a sealed key: as a master key the first, as a data key the second. */
function opensAny(key: Buffer, { private_key: sealed, public_key: publicKey }: { private_key: string; public_key: string }): boolean {
  const [version, id, ...layers] = sealed.split(':');
  return layers.some((layer) => {
    const bytes = Buffer.from(layer, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(`${version}:${id}:${publicKey}`)).setAuthTag(bytes.subarray(-16));
    decipher.update(bytes.subarray(12, -16));
    try {
      decipher.final();
      return true;
    } catch {
      return false;
    }
  });
}

/** How many of what the texts spell open the key. */
function attack(texts: readonly string[], target: { private_key: string; public_key: string }): { tried: number; opened: number } {
  const tried = new Set<string>();
  let opened = 0;
  for (const text of texts) {
    for (const candidate of spelt(text)) {
      const name = candidate.toString('latin1');
      if (candidate.length !== 32 || tried.has(name)) continue;
      tried.add(name);
      if (opensAny(candidate, target)) opened += 1;
    }
  }
  return { tried: tried.size, opened };
}

describe('keys at rest', () => {
  it('a dump of the database and the repository open no key', async () => {
    const dump = await dumpDatabase(world.stack.postgres);
    expect(dump).toContain(stored[0]!.private_key);
    const files = repository();
    expect(files.length).toBeGreaterThan(300);
    const { tried, opened } = attack([dump, ...files], stored[0]!);
    expect(tried).toBeGreaterThan(1_000);
    expect(opened).toBe(0);
    // The attack itself works.
    expect(attack([`x=${masterKey.toString('hex')}`], stored[0]!).opened).toBe(1);
    expect(attack([`x=${masterKey.toString('base64url')}`], stored[0]!).opened).toBe(1);

    const secrets = [masterKey, ...stored.map((row) => Buffer.from(vault.open(row.private_key, row.public_key), 'hex'))];
    for (const secret of secrets) for (const encoding of ['hex', 'base64', 'base64url'] as const) expect(dump).not.toContain(secret.toString(encoding).replace(/=+$/, ''));
  }, 240_000);

  it('two swapped ciphertexts are detected, also where both copies were swapped', async () => {
    const [ann, bob] = stored;
    const put = async (user: string, sealed: string): Promise<void> => {
      await owner('update wallet_sync.account set private_key = $2 where auth_id = $1', [user, sealed]);
      await owner('update public.wallet set flow_private_key = $2 where auth_id = $1', [user, sealed]);
    };
    await put(ann!.auth_id, bob!.private_key);
    await put(bob!.auth_id, ann!.private_key);
    try {
      const { code, stdout } = await runCommand(['--json', 'reconcile'], { ...world.stack.env(), ...SETTINGS });
      expect([code, JSON.parse(stdout)]).toMatchObject([0, { total_wallets: USERS, corrupted_wallets: 2, synced_wallets: USERS - 2 }]);
      const marked = await owner<{ auth_id: string; reason: string }>("select auth_id, reason from wallet_sync.user_state where state = 'corrupted'");
      expect(marked.map((row) => row.auth_id).sort()).toEqual([ann!.auth_id, bob!.auth_id].sort());
      for (const { reason } of marked) expect(reason).toContain('does not open');
    } finally {
      await put(ann!.auth_id, ann!.private_key);
      await put(bob!.auth_id, bob!.private_key);
    }
    await runCommand(['--json', 'reconcile'], { ...world.stack.env(), ...SETTINGS });
    expect(await owner("select 1 from wallet_sync.user_state where state = 'corrupted'")).toEqual([]);
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    ['run, with limits that all instances share', ['run'], { RATE_LIMIT_SCOPE: 'shared' }],
    ['run --migrate', ['run', '--migrate'], { MIGRATE_DATABASE_URL: 'owner' }],
    ['reconcile', ['reconcile'], {}],
    ['reconcile --dry-run', ['reconcile', '--dry-run'], {}],
    ['keys rotate', ['keys', 'rotate'], { WALLET_ENCRYPTION_KEY_NEXT: randomBytes(32).toString('hex') }],
  ])('a wrong master key stops the start with one clear error and changes nothing: %s', async (_, args, more) => {
    const [wrong, folder] = [randomBytes(32), world.stack.env()['ACCOUNTS_DIR']!];
    const before = [await dumpDatabase(world.stack.postgres), filesOf(folder)];
    const settings = { ...world.stack.env(), ...SETTINGS, ...more, WALLET_ENCRYPTION_KEY: wrong.toString('base64') };
    if ('MIGRATE_DATABASE_URL' in settings) settings.MIGRATE_DATABASE_URL = world.stack.postgres.url('postgres');
    const { code, stdout, stderr } = await runCommand(args, settings);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(`WALLET_ENCRYPTION_KEY: stored keys are encrypted under master key ${vault.keyId}`), expect.stringMatching(/mend: .*Nothing was changed/)]);
    expect(stderr).toContain(createVault(wrong).keyId);
    for (const text of [stdout, stderr]) for (const key of [wrong, masterKey]) expect(text).not.toContain(key.toString('base64').slice(0, 20));
    expect([await dumpDatabase(world.stack.postgres), filesOf(folder)]).toEqual(before);
  });
});

/** Each file's path, content and time. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return `${path} ${statSync(path).mtimeMs} ${readFileSync(path, 'utf8')}`;
  }).sort();
}
