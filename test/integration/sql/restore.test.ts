import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { takeResyncs } from '../../../src/journal/control.js';
import { restoreWallets } from '../../../src/journal/users.js';
import { fillPool } from '../../support/accounts.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

let database: Database;
let ann: string;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
});

/** Three users with wallets; then all three rows are emptied, and the first one's address stands in a stranger's row of a table that allows each once. */
async function emptiedWithADouble(): Promise<string[]> {
  await fillPool(database.journal, 3);
  const users = [randomUUID(), randomUUID(), randomUUID()];
  for (const user of users) await database.auth.query(INSERT_USER, [user]);
  const given = await assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {} });
  expect(given.length).toBe(3);
  await database.asOwner('update public.wallet set flow_address = null, flow_private_key = null, flow_public_key = null');
  await database.asOwner('create unique index each_once on public.wallet (flow_address)');
  const [first] = await database.asOwner<{ address: string; auth_id: string }>('select address, auth_id from wallet_sync.account order by id limit 1');
  await database.asOwner('insert into public.wallet (flow_address) values ($1)', [first!.address]);
  return [first!.auth_id, ...users.filter((user) => user !== first!.auth_id)];
}

test.each(['a sweep', 'a resync'])('one row that refuses its account is counted corrupted with the reason, and %s goes on with the others', async (by) => {
  const [refusing, ...others] = await emptiedWithADouble();
  try {
    if (by === 'a sweep') {
      expect(await restoreWallets(database.journal)).toBe(2);
      expect(await restoreWallets(database.journal), 'nothing is tried twice').toBe(0);
    } else {
      for (const user of [refusing!, ...others]) await database.journal.query('select wallet_sync.resync($1)', [user]);
      expect((await takeResyncs(database.journal, ann)).length).toBe(3);
      expect(await takeResyncs(database.journal, ann), 'none stays open').toEqual([]);
    }
    const filled = await database.asOwner<{ auth_id: string }>('select auth_id from public.wallet where auth_id is not null and flow_address is not null');
    expect(filled.map((row) => row.auth_id).sort()).toEqual(others.sort());
    const corrupted = await database.asOwner('select auth_id, state, reason from wallet_sync.user_state');
    expect(corrupted).toEqual([{ auth_id: refusing, state: 'corrupted', reason: expect.stringContaining('each_once') }]);
  } finally {
    await database.asOwner('drop index public.each_once');
  }
});

test('an emptied row is filled again where the application has columns named as values here are', async () => {
  await fillPool(database.journal, 1);
  const user = randomUUID();
  await database.auth.query(INSERT_USER, [user]);
  await assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {} });
  await database.asOwner('update public.wallet set flow_address = null, flow_private_key = null, flow_public_key = null');
  await database.asOwner('alter table public.wallet add column user_id uuid, add column provision text, add column given_address text');
  try {
    await database.journal.query('select wallet_sync.resync($1)', [user]);
    expect(await takeResyncs(database.journal, ann)).toEqual([user]);
    expect(await database.asOwner('select from public.wallet where auth_id = $1 and flow_address is not null', [user])).toHaveLength(1);
    await fillPool(database.journal, 1);
    await database.asOwner("update wallet_sync.control set assign = 'trigger'");
    const other = randomUUID();
    await database.auth.query(INSERT_USER, [other]);
    expect(await database.asOwner('select from public.wallet where auth_id = $1 and flow_address is not null', [other])).toHaveLength(1);
  } finally {
    await database.asOwner("update wallet_sync.control set assign = 'daemon'");
    await database.asOwner('alter table public.wallet drop column user_id, drop column provision, drop column given_address');
  }
});
