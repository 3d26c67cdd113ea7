import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createConfigExport, type ConfigExport } from '../../../src/handlers/exportConfig.js';
import { packagePath } from '../../../src/packagePath.js';
import { modeOf, whileReadOnly } from '../../files/folder.js';
import { until } from '../../support/daemonWorld.js';
import { startDatabase, type Database } from '../../support/database.js';
import { createExportWorld, type ExportWorld, type Given, type LogLine } from '../../support/exportWorld.js';

const disk = await vi.hoisted(async () => (await import('../../files/crashingFiles.js')).createCrashingFiles());
vi.mock('node:fs/promises', async (original) => disk.wrap(await original()));

let database: Database;
let world: ExportWorld;
let exports: ConfigExport[] = [];
const children: ChildProcess[] = [];
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  disk.reset();
  world = createExportWorld(database);
});
afterEach(async () => {
  disk.fillDisk(() => false);
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  for (const each of exports) await each.close();
  exports = [];
  world.remove();
});

const start = (now: () => number = Date.now): ConfigExport & { readonly lines: readonly LogLine[] } => {
  const made = world.instance();
  const started = createConfigExport({ ...made, now }, { lockStaleMs: 2_000 });
  exports.push(started);
  return { ...started, lines: made.lines };
};
const ids = (given: readonly Given[]): string[] => given.map(({ authId }) => authId).sort();
const listed = (): string[] => Object.keys(world.accounts()).sort();
const complaints = (lines: readonly LogLine[]) => lines.filter(({ level }) => level > 30);

/** Numbers from 0 to 1, the same in each run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

it('a full disk leaves the files whole, is reported once with what mends it, and what is missing is written when there is space', async () => {
  const given = await world.give(20);
  let now = 0;
  const files = start(() => now);
  await files.follow();
  const before = readFileSync(world.in('flow-production.json'), 'utf8');
  disk.fillDisk(() => true);
  given.push(...(await world.give(20)));
  for (let time = 0; time < 5; time += 1, now += 100_000) await files.follow();
  await files.flush();
  expect(readFileSync(world.in('flow-production.json'), 'utf8')).toBe(before);
  expect(readdirSync(world.in('pkeys'))).toHaveLength(20);
  expect(complaints(files.lines)).toEqual([
    expect.objectContaining({ level: 50, msg: 'configuration not written', path: world.in('flow-production.json'), where: world.in('flow-production.json'), kind: 'files', reason: expect.stringContaining('ENOSPC') as string, mend: expect.stringContaining('free space') as string }),
  ]);
  disk.fillDisk(() => false);
  now += 100_000;
  await files.follow();
  expect(listed()).toEqual(ids(given));
  for (const { authId, privateKey } of given) expect(readFileSync(world.in('pkeys', `${authId}.pkey`), 'utf8')).toBe(privateKey);
  expect(files.lines.map(({ msg }) => msg)).toContain('configuration files can be written again');
});

it('a disk that is full when the configuration is written leaves the old one, with all key files', async () => {
  const given = await world.give(300);
  const files = start();
  await files.follow();
  const before = readFileSync(world.in('flow-production.json'), 'utf8');
  disk.fillDisk((path) => path.includes('flow-production'));
  given.push(...(await world.give(300)));
  await files.close();
  expect(readFileSync(world.in('flow-production.json'), 'utf8')).toBe(before);
  expect(readdirSync(world.folder).sort()).toEqual(['flow-production.json', 'pkeys']);
  for (const { authId, privateKey } of given) expect(readFileSync(world.in('pkeys', `${authId}.pkey`), 'utf8')).toBe(privateKey);
  expect(complaints(files.lines).map(({ msg, pending, kind }) => ({ msg, pending, kind }))).toEqual([
    { msg: 'configuration not written', kind: 'files' },
    { msg: 'configuration file is behind', pending: 300 },
  ]);
  disk.fillDisk(() => false);
  await start().follow();
  expect(listed()).toEqual(ids(given));
});

it('a folder that may only be read leaves the files as they are and is reported, and the daemon goes on', async () => {
  const given = await world.give(20);
  const files = start();
  await files.follow();
  given.push(...(await world.give(20)));
  await whileReadOnly(world.in('pkeys'), () => files.flush());
  expect(listed()).toHaveLength(20);
  expect(complaints(files.lines)).toEqual([expect.objectContaining({ kind: 'files', where: expect.stringContaining(world.in('pkeys')) as string, reason: expect.stringContaining('EACCES') as string, mend: expect.stringContaining('chown') as string })]);
  await files.flush();
  expect(listed()).toEqual(ids(given));
});

it('two exports on one folder: one writes, the other takes over where it ends, and no entry is lost', async () => {
  const random = createRandom(20_261);
  const given: Given[] = [];
  const crew = [start(), start()];
  for (let step = 0; step < 60; step += 1) {
    if (random() < 0.6) given.push(...(await world.give(1 + Math.floor(random() * 5))));
    const index = Math.floor(random() * 2);
    const chance = random();
    if (chance < 0.6) await Promise.all(crew.map((each) => each.follow()));
    else if (chance < 0.85) await crew[index]!.flush();
    else {
      await crew[index]!.close();
      crew[index] = start();
    }
  }
  await Promise.all(crew.map((each) => each.flush()));
  expect(listed()).toEqual(ids(given));
  expect(readdirSync(world.in('pkeys'))).toHaveLength(given.length);
  expect(crew.flatMap(({ lines }) => complaints(lines))).toEqual([]);
});

/** Starts a process that keeps the files of this folder. */
function startProcess(): { readonly child: ChildProcess; readonly output: () => string } {
  let output = '';
  const child = spawn(process.execPath, ['--import', 'tsx', packagePath('test', 'support', 'exportProcess.ts'), world.folder, database.serviceUrl, world.masterKey.toString('hex')], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  children.push(child);
  return { child, output: () => output };
}

it('two processes on one folder, killed in turn with SIGKILL while sign-ups go on: the files are whole at each moment, and no entry is lost', async () => {
  const random = createRandom(42);
  const given = await world.give(1_000);
  const crew = [startProcess(), startProcess()];
  await until(60_000, async () => listed().length === 1_000);
  for (let round = 0; round < 4; round += 1) {
    const inThisRound = 1 + Math.floor(random() * 8);
    for (let step = 0; step < inThisRound; step += 1) {
      given.push(...(await world.give(1 + Math.floor(random() * 20))));
      expect(listed().length).toBeGreaterThanOrEqual(1_000);
    }
    const index = round % 2;
    crew[index]!.child.kill('SIGKILL');
    await once(crew[index]!.child, 'close');
    expect(listed().every((authId) => given.some((each) => each.authId === authId))).toBe(true);
    crew[index] = startProcess();
    // Written by the other, or by the new one once the dead one's lock is free.
    await until(30_000, async () => listed().length === given.length);
  }
  for (const { child, output } of crew) {
    await until(30_000, () => Promise.resolve(output().includes('"running"')));
    child.kill('SIGTERM');
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
  }
  expect(listed()).toEqual(ids(given));
  for (const { authId, privateKey } of given) expect(readFileSync(world.in('pkeys', `${authId}.pkey`), 'utf8')).toBe(privateKey);
  expect(modeOf(world.in('flow-production.json'))).toBe(0o600);
  expect(crew.map(({ output }) => output()).join('')).not.toContain('configuration not written');
});

it('a stop does not wait for a journal that does not answer, and says that the file is behind', async () => {
  await world.give(20);
  const files = start();
  await files.follow();
  const given = await world.give(1);
  const locker = await database.connect('postgres');
  await locker.query('begin');
  await locker.query('lock table wallet_sync.account in access exclusive mode');
  const startedAt = Date.now();
  await files.close();
  expect(Date.now() - startedAt).toBeLessThan(3_000);
  expect(complaints(files.lines)).toEqual([expect.objectContaining({ level: 40, msg: 'configuration file is behind', mend: expect.stringContaining('next start') as string })]);
  const before = world.version();
  await locker.query('rollback');
  await database.disconnect();
  // What it was still doing ends without an effect; the lock is free after 2 s at the latest.
  const next = start();
  await until(10_000, async () => {
    await next.flush();
    return listed().includes(given[0]!.authId);
  });
  expect(world.version()).not.toBe(before);
});
