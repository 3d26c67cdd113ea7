import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFeed } from '../../../src/journal/feed.js';
import type { Db } from '../../../src/journal/pool.js';
import { readErrorKinds } from '../../../src/journal/errorKinds.js';
import { heartbeat, livingInstances } from '../../../src/journal/instances.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

const MANY = 60_000;

let database: Database;
beforeAll(async () => {
  database = await startDatabase();
  await database.asOwner(`insert into public.wallet (auth_id, flow_address) select null, '0x' || lpad(to_hex(n), 16, '0') from generate_series(1, ${MANY}) n`);
  await database.asOwner(`insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment, assigned_at, free_at)
    select 'assigned', lpad(to_hex(n), 128, '0'), 'sealed', '0x' || lpad(to_hex(n), 16, '0'), gen_random_uuid(), nextval('wallet_sync.assignment'), clock_timestamp(), clock_timestamp() from generate_series(1, ${MANY}) n`);
  await database.asOwner('analyze');
});
afterAll(() => database.stop());

/** How Postgres reads the tables for these statements. */
async function scansOf(work: (db: Db) => Promise<unknown>): Promise<string[]> {
  const statements: { text: string; values: readonly unknown[] }[] = [];
  await work({
    query: (text, values = []) => {
      statements.push({ text, values });
      return database.journal.query(text, values);
    },
  });
  const scans: string[] = [];
  const walk = (plan: Record<string, unknown>): void => {
    if (typeof plan['Relation Name'] === 'string') scans.push(`${String(plan['Node Type'])} ${plan['Relation Name']}`);
    for (const child of (plan['Plans'] ?? []) as Record<string, unknown>[]) walk(child);
  };
  for (const { text, values } of statements) {
    const { rows } = await database.journal.query(`explain (format json) ${text}`, values);
    walk((rows[0]!['QUERY PLAN'] as { Plan: Record<string, unknown> }[])[0]!.Plan);
  }
  return scans;
}

describe('the feed', () => {
  it('reads what is new through indexes, however many there are', async () => {
    const scans = await scansOf(async (db) => {
      const feed = createFeed(db);
      await feed.news();
      await feed.news();
    });
    expect(scans.length).toBeGreaterThan(6);
    expect(scans.filter((scan) => /^Seq Scan (wallet|account)$/.test(scan))).toEqual([]);
  });

  it('tells nothing of what was there before, then each sign-up once', async () => {
    const feed = createFeed(database.journal);
    expect(await feed.news()).toEqual({ signUps: [], ready: [], cycles: [] });
    const id = randomUUID();
    await database.auth.query(INSERT_USER, [id]);
    expect((await feed.news()).signUps).toEqual([{ auth_id: id, at: expect.any(Date) }]);
    expect((await feed.news()).signUps).toEqual([]);
  });
});

it('errors by kind are found through indexes, and are none where nothing failed', async () => {
  const scans = await scansOf(readErrorKinds);
  expect(scans.filter((scan) => /^Seq Scan (wallet|account)$/.test(scan))).toEqual([]);
  expect(await readErrorKinds(database.journal)).toEqual([]);
});

it('an instance says where it answers; a heartbeat without an address leaves what it has said', async () => {
  const id = randomUUID();
  await heartbeat(database.journal, id, {}, { httpUrl: 'http://127.0.0.1:8787' });
  await heartbeat(database.journal, id, {});
  expect((await livingInstances(database.journal)).find((each) => each.id === id)?.http_url).toBe('http://127.0.0.1:8787');
});
