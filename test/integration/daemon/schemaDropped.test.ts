import { createClient } from '@supabase/supabase-js';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import { signUpMany } from '../../../dev/signUp.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world.stop());

/** Drops it as an operator does: again where Postgres breaks the drop off for a deadlock with the daemon's own statements. */
const dropSchema = async () => {
  await until(10_000, () =>
    world.stack.postgres.query('postgres', 'drop schema wallet_sync cascade').then(
      () => true,
      (error: unknown) => {
        if (error instanceof pg.DatabaseError && error.code === '40P01') return false;
        throw error;
      },
    ),
  );
};

it('with schema wallet_sync gone the daemon stops making and sending and says `wallet-sync migrate`; after it these users get their wallets', async () => {
  const daemon = world.daemon({ BACKLOG_POLL: '1' });
  await world.ready(await signUpMany(world.stack.authPool, 3));
  await dropSchema();
  const signUps = await signUpMany(world.stack.authPool, 5);
  const said = await daemon.logged((line) => line.msg.includes('making and sending stop'));
  expect(said['mend']).toBe('run `wallet-sync migrate`');
  const sent = daemon.lines.filter((line) => line.msg === 'transaction recorded').length;
  await world.stack.migrate();
  await world.ready(signUps);
  expect(daemon.lines.filter((line) => line.msg === 'transaction recorded').length).toBeGreaterThan(sent);
  await daemon.stop();
});

it('deleting a user through auth.admin.deleteUser succeeds and the key stays', async () => {
  const daemon = world.daemon();
  const [signUp] = await signUpMany(world.stack.authPool, 1);
  await world.ready([signUp!]);
  const client = createClient(world.stack.gateway.url, world.stack.gateway.serviceRoleKey, { auth: { persistSession: false }, realtime: { transport: WebSocket as never } });
  const { error } = await client.auth.admin.deleteUser(signUp!.authId);
  expect(error).toBeNull();
  const { rows } = await world.stack.servicePool.query('select state, address, private_key <> $2 as key from wallet_sync.account where auth_id = $1', [signUp!.authId, '']);
  expect(rows).toEqual([{ state: 'assigned', address: expect.stringMatching(/^0x/) as string, key: true }]);
  await daemon.stop();
});
