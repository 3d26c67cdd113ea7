import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { assignmentsAfter, EXPORT_START, exportStart, type ExportCursor } from '../../../src/journal/exports.js';
import { fillPool } from '../../support/accounts.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

/** One who follows the assignments: reads on from where he stands. */
async function follow(cursor: ExportCursor): Promise<{ cursor: ExportCursor; seen: string[] }> {
  const start = await exportStart(database.journal, cursor);
  const page = await assignmentsAfter(database.journal, start.place, 100);
  return { cursor: { ...start, place: page.at(-1)?.assignment ?? start.place }, seen: page.map((account) => account.authId) };
}

test('who follows the assignments misses none of a transaction that took its place early and ended late, however late', async () => {
  await fillPool(database.journal, 3);
  await database.asOwner("update wallet_sync.control set assign = 'trigger'");
  const [slow, quick, later] = [randomUUID(), randomUUID(), randomUUID()];
  const open = await database.connect('supabase_auth_admin');
  await open.query('begin');
  await open.query(INSERT_USER, [slow]);
  await database.auth.query(INSERT_USER, [quick]);
  let { cursor, seen } = await follow(EXPORT_START);
  expect(seen).toEqual([quick]);
  ({ cursor } = await follow(cursor));
  await database.asOwner("update wallet_sync.account set assigned_at = assigned_at - interval '1 hour' where auth_id = $1", [quick]);
  await open.query('commit');
  ({ cursor, seen } = await follow(cursor));
  expect(seen).toContain(slow);
  await database.auth.query(INSERT_USER, [later]);
  expect((await follow(cursor)).seen).toEqual([later]);
  await database.asOwner("update wallet_sync.control set assign = 'daemon'");
});
