import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway, type Gateway } from '../../../dev/gateway/gateway.js';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';

/** What Realtime tells whom, of a database that sql/ has made. */
let database: Database;
let gateway: Gateway;
const clients: SupabaseClient[] = [];
const READABLE = ['auth_id', 'created_at', 'flow_address', 'flow_public_key', 'id'];

beforeAll(async () => {
  database = await startDatabase();
  gateway = await startGateway({ postgres: database.postgres });
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.removeAllChannels()));
  await Promise.all(clients.map((client) => client.realtime.disconnect()));
  await gateway?.stop();
  await database?.stop();
});

interface Told {
  readonly eventType: string;
  readonly table: string;
  readonly new: Record<string, unknown>;
  readonly old: Record<string, unknown>;
}

/** Everything that is told to the holder of a token, of every published table of both schemas. */
async function listen(key: string, token?: string): Promise<Told[]> {
  const client = createClient(gateway.url, key, { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false }, realtime: { transport: WebSocket as never } });
  clients.push(client);
  if (token !== undefined) await client.realtime.setAuth(token);
  const told: Told[] = [];
  for (const schema of ['public', 'wallet_sync']) {
    const channel: RealtimeChannel = client.channel(`all-of-${schema}`);
    // Before this message nothing is promised.
    await new Promise<void>((resolve) => {
      channel.on('postgres_changes', { event: '*', schema }, (change) => void told.push(change as unknown as Told)).on('system', {}, () => resolve()).subscribe();
    });
  }
  return told;
}

async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a user\'s token hears of his own row alone, without the private key; anon of nothing; service_role of all', async () => {
  const mine = (await signUp(database.auth)).authId;
  const anon = await listen(gateway.anonKey);
  const user = await listen(gateway.anonKey, gateway.userToken(mine));
  const admin = await listen(gateway.serviceRoleKey);

  const other = (await signUp(database.auth)).authId;
  await fillPool(database.journal, 2);
  await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
  await database.asOwner('alter table public.wallet replica identity full');
  await database.asOwner("update public.wallet set flow_address = '0x00000000000000ff'");
  await database.journal.query('insert into wallet_sync.canary (instance, nonce) values (gen_random_uuid(), $1)', ['a canary']);
  // Deleting a user empties his row's auth_id: from then on it is nobody's.
  await database.auth.query('delete from auth.users where id = $1', [other]);
  // One last change that all must have passed before this test can end.
  await database.asOwner("update public.wallet set flow_address = '0x00000000000000fe' where auth_id = $1", [mine]);

  const isLast = ({ new: row }: Told): boolean => row['flow_address'] === '0x00000000000000fe';
  await until(() => user.some(isLast) && admin.some(isLast));
  expect(anon).toEqual([]);
  expect(user.length).toBeGreaterThanOrEqual(3);
  for (const change of user) {
    expect(change).toMatchObject({ table: 'wallet', eventType: 'UPDATE', new: { auth_id: mine } });
    expect(Object.keys(change.new).sort()).toEqual(READABLE);
    expect(READABLE).toEqual(expect.arrayContaining(Object.keys(change.old)));
  }
  expect(JSON.stringify(user)).not.toMatch(/private|v1:|sealed/);
  expect(JSON.stringify(user)).not.toContain(other);
  expect(admin.filter(({ table }) => table === 'wallet').map(({ eventType }) => eventType)).toContain('INSERT');
  expect(admin.filter(({ table }) => table === 'canary').length).toBe(1);
  expect(new Set(admin.map(({ table }) => table))).toEqual(new Set(['wallet', 'canary']));
  expect(Object.keys(admin.find(isLast)?.new ?? {})).toContain('flow_private_key');
});
