import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { hex, startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

const STATES = ['prepared', 'submitted', 'free', 'assigned', 'expired', 'set_aside', 'failed'] as const;
const ALLOWED = new Set([
  'prepared>submitted', 'failed>prepared', 'submitted>prepared', 'submitted>free', 'submitted>expired', 'submitted>failed',
  'expired>free', 'free>assigned', 'free>set_aside',
]);
const EVERY_STEP = STATES.flatMap((from) => STATES.filter((to) => to !== from).map((to) => ({ from, to })));

/** What the constraints ask of an account in this state: an address where the chain has shown one, and a user where it is assigned. */
const columnsOf = (state: string): Record<string, string> => ({
  address: ['free', 'assigned', 'set_aside'].includes(state) ? "coalesce(address, '0x' || left(public_key, 16))" : 'null',
  auth_id: state === 'assigned' ? 'gen_random_uuid()' : 'null',
  assignment: state === 'assigned' ? "nextval('wallet_sync.assignment')" : 'null',
});

async function accountIn(state: string): Promise<number> {
  const columns = columnsOf(state);
  const publicKey = hex(64);
  const result = await database.journal.query(
    `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment)
     select $1::wallet_sync.account_state, public_key, 'secret', ${columns['address']}, ${columns['auth_id']}, ${columns['assignment']}
     from (select $2::text as public_key, null::text as address) k returning id`,
    [state, publicKey],
  );
  return result.rows[0]!['id'] as number;
}

async function assignedAccount(): Promise<void> {
  await signUp(database.auth);
  await fillPool(database.journal, 1);
  await assignAccounts(database.journal, { maxUsers: 1, via: 'poll', heard: {} });
}

/** Moves an account by hand; resolves with null where it is done, or with the refusal. */
async function move(id: number, to: string): Promise<string | null> {
  const columns = columnsOf(to);
  return database.journal
    .query(`update wallet_sync.account set state = $2, address = ${columns['address']}, auth_id = ${columns['auth_id']}, assignment = ${columns['assignment']} where id = $1`, [id, to])
    .then(() => null, (error: Error) => error.message);
}

test('an account takes the steps that lead from making to giving, and its history names each', async () => {
  for (const { from, to } of EVERY_STEP.filter((step) => ALLOWED.has(`${step.from}>${step.to}`))) {
    const id = await accountIn(from);
    expect.soft(await move(id, to), `${from} > ${to}`).toBe(null);
    expect.soft(await database.asOwner('select from_state, to_state from wallet_sync.account_history where account_id = $1', [id])).toEqual([{ from_state: from, to_state: to }]);
  }
});

test('an account takes no other step', async () => {
  for (const { from, to } of EVERY_STEP.filter((step) => !ALLOWED.has(`${step.from}>${step.to}`))) {
    const id = await accountIn(from);
    expect.soft(await move(id, to), `${from} > ${to}`).toBe(`account ${id} cannot go from ${from} to ${to}`);
  }
});

describe('an assigned account', () => {
  beforeEach(assignedAccount);

  test.each([
    ['never returns to the pool', "state = 'free', auth_id = null, assignment = null", /cannot go from assigned to free/],
    ['never goes to another user', 'auth_id = gen_random_uuid()', /never leaves its user/],
    ['never loses its user', 'auth_id = null', /never leaves its user/],
    ['never changes its address', "address = '0x00000000000000ff'", /address .* never changes/],
    ['never loses its address', 'address = null', /address .* never changes/],
    ['never changes its public key', `public_key = repeat('ab', 64)`, /public key .* never changes/],
  ])('%s', async (_, change, refusal) => {
    await expect(database.journal.query(`update wallet_sync.account set ${change}`)).rejects.toThrow(refusal);
  });

  test('is not deleted by the service', async () => {
    await expect(database.journal.query('delete from wallet_sync.account')).rejects.toThrow(/permission denied/);
  });
});

test.each([
  ['two accounts never have one public key', 'public_key', /account_public_key_key/],
  ['two accounts never have one address', 'address', /account_address_key/],
  ['a user never has two accounts', 'auth_id', /account_auth_id_key/],
])('%s', async (_, column, refusal) => {
  const [first, second] = [await accountIn('assigned'), await accountIn('assigned')];
  const copy = `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment)
    select 'assigned', case when $3 = 'public_key' then a.public_key else md5('1') || md5('2') || md5('3') || md5('4') end, 'secret',
      case when $3 = 'address' then a.address else '0x' || left(md5('5'), 16) end,
      case when $3 = 'auth_id' then a.auth_id else gen_random_uuid() end, nextval('wallet_sync.assignment')
    from wallet_sync.account a where a.id = $1 and a.id <> $2::bigint`;
  await expect(database.journal.query(copy, [first, second, column])).rejects.toThrow(refusal);
});

test.each([
  ['only an assigned account has a user', `state = 'free', address = '0x00000000000000fe', auth_id = gen_random_uuid()`],
  ['an account has an address only once the chain has shown it', `state = 'submitted', address = '0x00000000000000ff'`],
])('%s', async (_, change) => {
  await accountIn(change.includes('free') ? 'expired' : 'prepared');
  await expect(database.journal.query(`update wallet_sync.account set ${change}`)).rejects.toThrow(/violates check constraint/);
});
