import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createConfigExport, type ConfigExport } from '../../../src/handlers/exportConfig.js';
import { runCommand } from '../../support/command.js';
import { startDatabase, type Database } from '../../support/database.js';
import { createExportWorld, type ExportWorld, type LogLine } from '../../support/exportWorld.js';

let database: Database;
let world: ExportWorld;
let running: ConfigExport[] = [];
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  world = createExportWorld(database);
  mkdirSync(world.in('pkeys'), { recursive: true, mode: 0o700 });
  mkdirSync(outside(), { mode: 0o755 });
  writeFileSync(outside('victim'), 'not ours', { mode: 0o644 });
  chmodSync(outside('victim'), 0o644);
});
afterEach(async () => {
  for (const each of running) await each.close();
  running = [];
  world.remove();
});

/** Beside the folder for the Flow CLI: where a planted link leads. */
const outside = (...parts: string[]): string => join(world.folder, '..', 'outside', ...parts);
const keyFile = (authId: string): string => world.in('pkeys', `${authId}.pkey`);
const start = (): { readonly files: ConfigExport; readonly lines: LogLine[] } => {
  const instance = world.instance();
  const files = createConfigExport(instance);
  running.push(files);
  return { files, lines: instance.lines };
};
/** Nothing of ours has come where a link led, and what was there is as it was. */
const expectUntouched = (): void => {
  expect(readdirSync(outside())).toEqual(['victim']);
  expect(readFileSync(outside('victim'), 'utf8')).toBe('not ours');
  expect(statSync(outside('victim')).mode & 0o777).toBe(0o644);
  expect(statSync(outside()).mode & 0o777).toBe(0o755);
};

describe('a link below ACCOUNTS_DIR is not followed', () => {
  it('where it stands for a user’s key file: it is reported, and his file takes its place', async () => {
    const given = await world.give(3);
    const [first, second] = [given[0]!, given[1]!];
    symlinkSync(outside('victim'), keyFile(first.authId));
    symlinkSync(outside('not-there'), keyFile(second.authId));
    const { files, lines } = start();
    await files.flush();
    expectUntouched();
    for (const { authId, privateKey } of given) {
      expect(lstatSync(keyFile(authId)).isFile()).toBe(true);
      expect(readFileSync(keyFile(authId), 'utf8')).toBe(privateKey);
    }
    expect(Object.keys(world.accounts())).toHaveLength(3);
    expect(lines.filter(({ msg }) => msg.startsWith('key files that are links'))).toMatchObject([{ level: 40, files: 2, path: world.in('pkeys') }]);
  });

  it.each(['flow-production.json.backup', 'flow-production.json.partial', 'flow-production.json.backup.partial'])('where it stands for %s: it is replaced', async (name) => {
    const { files } = start();
    await world.give(1);
    await files.flush();
    symlinkSync(outside('victim'), world.in(name));
    await world.give(1);
    await files.flush();
    expectUntouched();
    expect(Object.keys(world.accounts())).toHaveLength(2);
    expect(readdirSync(world.folder).filter((each) => lstatSync(world.in(each)).isSymbolicLink())).toEqual([]);
  });

  it('where it stands for flow-production.json: nothing is read or written, it is reported, and all is written once it is gone', async () => {
    await world.give(2);
    writeFileSync(outside('victim'), 'not ours');
    symlinkSync(outside('victim'), world.in('flow-production.json'));
    const { files, lines } = start();
    await files.flush();
    expectUntouched();
    expect(lines.filter(({ msg }) => msg === 'configuration not written')).toMatchObject([{ level: 50, kind: 'files', mend: expect.stringContaining('links are not followed') as string }]);
    rmSync(world.in('flow-production.json'));
    await files.flush();
    expect(Object.keys(world.accounts())).toHaveLength(2);
  });

  it('where pkeys becomes one while the daemon runs: no key is opened for it or written through it, it is reported, and all is written once it is gone', async () => {
    await world.give(1);
    const { files, lines } = start();
    await files.flush();
    renameSync(world.in('pkeys'), world.in('before'));
    symlinkSync(outside(), world.in('pkeys'));
    const [late] = await world.give(1);
    await files.flush();
    expectUntouched();
    expect(lines.filter(({ msg }) => msg === 'configuration not written')).toMatchObject([{ level: 50, kind: 'usage', where: world.in('pkeys'), reason: 'is a link' }]);
    const opened = await database.asOwner('select 1 from wallet_sync.audit where kind = $1 and auth_id = $2', ['key-opened', late!.authId]);
    expect(opened).toHaveLength(0);
    rmSync(world.in('pkeys'));
    renameSync(world.in('before'), world.in('pkeys'));
    await files.flush();
    expect(readFileSync(keyFile(late!.authId), 'utf8')).toBe(late!.privateKey);
  });

  it.each(['pkeys', '.'])('where %s is one at the start: the daemon does not start, says so and names its mend', async (name) => {
    const link = name === '.' ? join(world.folder, '..', 'link') : world.in('pkeys');
    rmSync(link, { recursive: true, force: true });
    symlinkSync(outside(), link);
    const { code, stderr } = await runCommand(['--json', 'run'], {
      ACCOUNTS_DIR: name === '.' ? link : world.folder,
      DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/d',
      SUPABASE_URL: 'http://127.0.0.1:1',
      SUPABASE_SERVICE_ROLE_KEY: 'a-service-role-key-of-some-length',
      NETWORK: 'emulator',
      WALLET_ENCRYPTION_KEY: '00'.repeat(32),
    });
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ kind: 'usage', error: expect.stringContaining(name === '.' ? 'is a link' : 'pkeys is a link') as string, mend: expect.stringContaining('links are not followed') as string });
    expectUntouched();
  });
});

describe('a start closes to others what they could read, and says so', () => {
  it('folders, key files, the configuration and its backup', async () => {
    const given = await world.give(3);
    const first = start();
    await first.files.flush();
    await world.give(1);
    await first.files.close();
    const files = [keyFile(given[0]!.authId), keyFile(given[1]!.authId), world.in('flow-production.json'), world.in('flow-production.json.backup')];
    expect(files.map(existsSync)).toEqual([true, true, true, true]);
    for (const file of files) chmodSync(file, 0o644);
    for (const folder of [world.folder, world.in('pkeys')]) chmodSync(folder, 0o755);
    const { files: second, lines } = start();
    await second.flush();
    for (const file of files) expect(statSync(file).mode & 0o777, file).toBe(0o600);
    for (const folder of [world.folder, world.in('pkeys')]) expect(statSync(folder).mode & 0o777, folder).toBe(0o700);
    expect(lines.filter(({ level }) => level === 40)).toMatchObject([
      { msg: 'configuration file that others could read was closed to them', path: files[2] },
      { msg: 'configuration file that others could read was closed to them', path: files[3] },
      { msg: 'key files that others could read were closed to them', files: 2 },
    ]);
    expect(JSON.stringify(lines)).not.toContain(given[0]!.privateKey);
  });
});
