import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { askControl, isPaused, recordControl, takeResyncRequests } from '../../../src/journal/control.js';
import { startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

const take = () => takeResyncRequests(database.journal, randomUUID());

test('a raw resync that three instances hear is recorded once, also when the first has taken it before the others hear', async () => {
  const SENDER = 4711;
  await Promise.all([1, 2].map(() => recordControl(database.journal, { name: 'resync' }, SENDER)));
  expect(await take()).toEqual([null]);
  await recordControl(database.journal, { name: 'resync' }, SENDER);
  expect(await take()).toEqual([]);
});

test('resyncs of two senders, and of two users, are recorded each', async () => {
  const [ann, bob] = [randomUUID(), randomUUID()];
  await recordControl(database.journal, { name: 'resync', authId: ann }, 1);
  await recordControl(database.journal, { name: 'resync', authId: bob }, 1);
  await recordControl(database.journal, { name: 'resync' }, 1);
  await recordControl(database.journal, { name: 'resync' }, 2);
  expect((await take()).sort()).toEqual([ann, bob, null, null].sort());
});

test('a resync that its sender repeats later is recorded again', async () => {
  await recordControl(database.journal, { name: 'resync' }, 1);
  await database.asOwner("update wallet_sync.resync_request set asked_at = asked_at - interval '5 s'");
  await recordControl(database.journal, { name: 'resync' }, 1);
  expect(await take()).toEqual([null, null]);
});

test('an unknown raw command is refused', async () => {
  await expect(recordControl(database.journal, { name: 'stop' as 'pause' }, 1)).rejects.toThrow('unknown command stop');
});

test('select wallet_sync.resync(), for all or for one user, asks and says that it did', async () => {
  const listener = await database.connect('wallet_sync_service');
  await listener.query('listen wallet_sync_changed');
  const told = new Promise((resolve) => listener.once('notification', resolve));
  const operator = await database.connect('postgres');
  const authId = randomUUID();
  await operator.query('select wallet_sync.resync()');
  await operator.query('select wallet_sync.resync($1)', [authId]);
  await told;
  expect((await take()).sort()).toEqual([authId, null].sort());
});

test('a resync request is taken by one of several instances', async () => {
  await askControl(database.journal, { name: 'resync' });
  await askControl(database.journal, { name: 'resync', authId: randomUUID() });
  const taken = await Promise.all(Array.from({ length: 5 }, take));
  expect(taken.flat().length).toBe(2);
});

test('paused survives a restart of the database, until somebody resumes', async () => {
  await recordControl(database.journal, { name: 'pause' }, 1);
  await database.postgres.restart();
  expect(await isPaused(database.journal)).toBe(true);
  await askControl(database.journal, { name: 'resume' });
  expect(await isPaused(database.journal)).toBe(false);
});
