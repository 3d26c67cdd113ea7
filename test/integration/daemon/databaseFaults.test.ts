import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUpMany } from '../../../dev/signUp.js';
import { openJournal } from '../../../src/journal/pool.js';
import { createLog } from '../../../src/log.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world.stop());

it('a connection lost inside a transaction is an error of that transaction, and the journal works on', async () => {
  const journal = openJournal({ connectionString: world.stack.env()['DATABASE_URL'] ?? '', log: createLog({ level: 'silent' }) });
  const lost = journal.transaction(async (db) => {
    const { rows } = await db.query('select pg_backend_pid() as pid');
    await world.stack.postgres.query('supabase_admin', 'select pg_terminate_backend($1)', [rows[0]?.['pid']]);
    await db.query('select 1');
  });
  await expect(lost).rejects.toMatchObject({ kind: 'network' });
  expect((await journal.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await journal.close();
});

it('a sign-up transaction left open starves nobody: users who come meanwhile get their wallets, though accounts must be made', async () => {
  const daemon = world.daemon({ POOL_SIZE: '25', BACKLOG_POLL: '1' });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'accounts made');
  const open = new pg.Client({ connectionString: world.stack.postgres.url('supabase_auth_admin') });
  await open.connect();
  await open.query('begin');
  await open.query("insert into auth.users (id, email, is_anonymous) values (gen_random_uuid(), 'open@example.com', false)");
  // Enough at once to keep the daemon awake, and more than the pool holds.
  await world.ready(await signUpMany(world.stack.authPool, 60), 30_000);
  await open.query('rollback');
  await open.end();
  await daemon.stop();
  expect(await world.duplicates()).toBe(0);
});

it('Postgres restarted and all connections cut: the daemon goes on by itself', async () => {
  const daemon = world.daemon({ BACKLOG_POLL: '1' });
  await sourceIs(daemon, 'notify', 'ok');
  const before = await signUpMany(world.stack.authPool, 5);
  await world.ready(before);
  await world.stack.postgres.restart();
  world.postgresProxy.faults.cutAll();
  const after = await signUpMany(world.stack.authPool, 5);
  await world.ready(after);
  await daemon.stop();
  expect((await daemon.ended).code).toBe(0);
  expect(await world.duplicates()).toBe(0);
});
