import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { signUp, signUpMany, type SignUpOptions } from '../../../dev/signUp.js';
import { anyoneWaiting, assignAccounts, waitingUsers } from '../../../src/journal/assignments.js';
import { readDemand } from '../../../src/journal/demand.js';
import { heartbeat, INSTANCE_LEASE_MS, livingInstances, stopInstance } from '../../../src/journal/instances.js';
import { isPolicyKept, registerPolicy, type Policy } from '../../../src/journal/policy.js';
import { lookAgainAt } from '../../../src/journal/users.js';
import { createLog } from '../../../src/log.js';
import { fillPool } from '../../support/accounts.js';
import { listenToBell, type Bell } from '../../support/bell.js';
import { startDatabase, type Database } from '../../support/database.js';
import { makeMissingWallets } from '../../support/missingWallets.js';

let database: Database;
let bell: Bell;

beforeAll(async () => {
  database = await startDatabase();
  bell = await listenToBell(database);
});
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.asOwner("update wallet_sync.control set provision = 'all', assign = 'daemon', low_water = 1, policy_set_at = null");
  await bell.heard();
});

const setPolicy = ({ provision, assign }: Policy) => database.asOwner('update wallet_sync.control set provision = $1, assign = $2', [provision, assign]);
const assign = (onlyUser?: string) => assignAccounts(database.journal, { maxUsers: 1_000, via: 'poll', heard: {}, ...(onlyUser === undefined ? {} : { onlyUser }) });
const hasRow = async (authId: string): Promise<boolean> => (await database.asOwner('select from public.wallet where auth_id = $1', [authId])).length === 1;
const hasAddress = async (authId: string): Promise<boolean> => (await database.asOwner('select from public.wallet where auth_id = $1 and flow_address is not null', [authId])).length === 1;
const change = (authId: string, set: string) => database.auth.query(`update auth.users set ${set} where id = $1`, [authId]);

const KINDS: readonly { kind: string; options: SignUpOptions; mayHave: readonly Policy['provision'][] }[] = [
  { kind: 'confirmed', options: { confirmed: true }, mayHave: ['all', 'confirmed', 'non-anonymous'] },
  { kind: 'unconfirmed', options: { confirmed: false }, mayHave: ['all', 'non-anonymous'] },
  { kind: 'anonymous', options: { anonymous: true }, mayHave: ['all'] },
];
const PROVISIONS = ['all', 'confirmed', 'non-anonymous'] as const;
const ASSIGNS = ['daemon', 'trigger'] as const;
const CASES = PROVISIONS.flatMap((provision) => ASSIGNS.flatMap((assignedBy) => KINDS.map(({ kind, options, mayHave }) => ({ provision, assignedBy, kind, options, isProvisioned: mayHave.includes(provision) }))));

describe('the sign-up, the sweep, a resync and the assignment agree on who is given a wallet:', () => {
  test.each(CASES)('PROVISION=$provision, ASSIGN=$assignedBy, a user who is $kind: $isProvisioned', async ({ provision, assignedBy, options, isProvisioned }) => {
    await setPolicy({ provision, assign: assignedBy });
    await fillPool(database.journal, 2);
    const { authId } = await signUp(database.auth, options);
    expect(await hasRow(authId)).toBe(isProvisioned);
    expect(await bell.heard()).toEqual(isProvisioned && assignedBy === 'daemon' ? [authId] : []);
    expect(await hasAddress(authId)).toBe(isProvisioned && assignedBy === 'trigger');

    // As if the sign-up had not been able to make it.
    await database.asOwner('delete from public.wallet');
    await database.asOwner("update wallet_sync.control set assign = 'daemon'");
    const { authId: other } = await signUp(database.auth, options);
    await database.asOwner('delete from public.wallet');
    expect((await makeMissingWallets(database.journal)).made).toBe(isProvisioned ? 2 : 0);
    await database.asOwner('delete from public.wallet');
    await lookAgainAt(database.journal, other);
    expect(await hasRow(other)).toBe(isProvisioned);

    await database.asOwner('insert into public.wallet (auth_id) values ($1) on conflict do nothing', [other]);
    expect((await assign(other)).length).toBe(isProvisioned ? 1 : 0);
  });
});

const MEETS = [
  { provision: 'confirmed', options: { confirmed: false }, how: 'confirms his address', set: 'email_confirmed_at = clock_timestamp()' },
  { provision: 'confirmed', options: { confirmed: false }, how: 'confirms a phone number', set: "phone = '4179', phone_confirmed_at = clock_timestamp()" },
  { provision: 'non-anonymous', options: { anonymous: true }, how: 'gives his address', set: "is_anonymous = false, email = 'a@example.com'" },
] as const;

test.each(MEETS)('PROVISION=$provision: a user who $how later has no wallet row before, and one afterwards, and rings', async ({ provision, options, set }) => {
  await setPolicy({ provision, assign: 'daemon' });
  const { authId } = await signUp(database.auth, options);
  expect(await hasRow(authId)).toBe(false);
  expect(await bell.heard()).toEqual([]);
  await change(authId, set);
  expect(await bell.heard()).toEqual([authId]);
  expect(await waitingUsers(database.journal, 10)).toEqual([authId]);
});

test.each(MEETS)('PROVISION=$provision, ASSIGN=trigger: a user who $how later has his wallet when that commits, and one who finds the pool empty rings', async ({ provision, options, set }) => {
  await setPolicy({ provision, assign: 'trigger' });
  await database.asOwner('update wallet_sync.control set low_water = 0');
  await fillPool(database.journal, 1);
  const { authId } = await signUp(database.auth, options);
  await change(authId, set);
  expect(await hasAddress(authId)).toBe(true);
  expect(await bell.heard()).toEqual([]);

  const { authId: late } = await signUp(database.auth, options);
  await change(late, set.replace('4179', '4180').replace('a@', 'b@'));
  expect(await bell.heard()).toEqual([late]);
  expect(await waitingUsers(database.journal, 10)).toEqual([late]);
});

test('a change that does not meet the policy makes no row and rings nobody', async () => {
  await setPolicy({ provision: 'confirmed', assign: 'trigger' });
  await fillPool(database.journal, 1);
  const { authId } = await signUp(database.auth, { anonymous: true });
  await change(authId, "is_anonymous = false, banned_until = clock_timestamp() + interval '1 hour'");
  expect(await hasRow(authId)).toBe(false);
  expect(await bell.heard()).toEqual([]);
});

test('a user who is softly deleted while he waits is given nothing, and waits again when he is brought back', async () => {
  const { authId } = await signUp(database.auth);
  await fillPool(database.journal, 1);
  await bell.heard();
  await change(authId, 'deleted_at = clock_timestamp()');
  expect(await bell.heard()).toEqual([]);
  expect(await anyoneWaiting(database.journal)).toBe(false);
  expect([...(await assign()), ...(await assign(authId))]).toEqual([]);
  await change(authId, 'deleted_at = null');
  expect(await bell.heard()).toEqual([authId]);
  expect((await assign()).map((given) => given.authId)).toEqual([authId]);
});

test('a user who meets the policy and lacks his row gets it with the next change of his', async () => {
  const { authId } = await signUp(database.auth);
  await database.asOwner('delete from public.wallet');
  await bell.heard();
  await change(authId, "banned_until = clock_timestamp() + interval '1 hour'");
  expect(await waitingUsers(database.journal, 10)).toEqual([authId]);
  expect(await bell.heard()).toEqual([authId]);
});

test('a row from before the policy is held, delays nobody, demands no account, and is served when its user meets it', async () => {
  const { authId: held } = await signUp(database.auth, { confirmed: false });
  const { authId: confirmed } = await signUp(database.auth);
  await setPolicy({ provision: 'confirmed', assign: 'daemon' });
  await fillPool(database.journal, 3);
  expect(await waitingUsers(database.journal, 10)).toEqual([confirmed]);
  expect(await readDemand(database.journal, 0)).toMatchObject({ waiting: 1, demand: -2 });
  expect((await assign()).map((given) => given.authId)).toEqual([confirmed]);
  expect(await anyoneWaiting(database.journal)).toBe(false);
  await bell.heard();
  await change(held, 'email_confirmed_at = clock_timestamp()');
  expect(await bell.heard()).toEqual([held]);
  expect((await assign()).map((given) => given.authId)).toEqual([held]);
});

test('a sweep pages past users who are held to the last one', async () => {
  await setPolicy({ provision: 'confirmed', assign: 'daemon' });
  await signUpMany(database.auth, 30, { confirmed: false });
  const users = (await signUpMany(database.auth, 7)).map(({ authId }) => authId);
  await database.asOwner('delete from public.wallet');
  expect(await makeMissingWallets(database.journal, 3)).toEqual({ users: 7, made: 7 });
  expect((await waitingUsers(database.journal, 10)).sort()).toEqual(users.sort());
});

interface PlanNode {
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Loops': number;
  readonly 'Actual Rows': number;
  readonly Plans?: readonly PlanNode[];
}

/** Which tables a statement of the daemon's reads, by which index, and how many rows each time. */
async function scansOf(sql: string): Promise<string[]> {
  const { rows } = await database.journal.query(`explain (analyze, format json) ${sql}`);
  const scans: string[] = [];
  const walk = (node: PlanNode): void => {
    if (node['Relation Name'] !== undefined && node['Actual Loops'] > 0) scans.push(`${node['Relation Name']} by ${node['Index Name'] ?? 'nothing'}: ${node['Actual Rows']} rows`);
    for (const child of node.Plans ?? []) walk(child);
  };
  walk((rows[0] as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan);
  return scans;
}

test('who waits is looked up among the users one by one, not all users for each, before the statistics know of them', async () => {
  await database.auth.query("insert into auth.users (id, email) select u, u || '@example.com' from (select gen_random_uuid() as u from generate_series(1, 300)) u");
  expect(await scansOf('select auth_id from wallet_sync.waiting')).toEqual(expect.arrayContaining(['wallet by wallet_waiting: 300 rows', 'users by users_pkey: 1 rows']));
});

test('users who are held by the policy cost the poll nothing: where nobody waits it makes one look into one index, whatever the statistics say', async () => {
  await setPolicy({ provision: 'confirmed', assign: 'daemon' });
  const USERS = `insert into auth.users (id, email, email_confirmed_at) select u, u || '@example.com', $1 from (select gen_random_uuid() as u from generate_series(1, 3000)) u`;
  await database.auth.query(USERS, [null]);
  expect(await database.asOwner('select count(*)::int as rows from public.wallet')).toEqual([{ rows: 0 }]);
  // Statistics of a moment when all waited.
  await database.auth.query(USERS, [new Date()]);
  for (const table of ['auth.users', 'public.wallet']) await database.postgres.query('supabase_admin', `analyze ${table}`);
  await database.asOwner("update public.wallet set flow_address = '0x' || id");

  expect(await scansOf('select exists (select from wallet_sync.waiting) as waits')).toEqual(['wallet by wallet_waiting: 0 rows']);
});

describe('registering', () => {
  const log = createLog({ level: 'silent', pretty: false });
  const register = (policy: Partial<Policy> = {}, instanceId: string = randomUUID(), lowWater = 1) =>
    registerPolicy(database.journal, { instanceId, statistics: {}, provision: 'all', assign: 'daemon', lowWater, log, ...policy });
  const control = async () => (await database.asOwner('select provision, assign, low_water from wallet_sync.control'))[0];
  /** Another instance, last seen so long ago. */
  const other = async (seenSecondsAgo: number): Promise<string> => {
    const id = randomUUID();
    await register({}, id);
    await database.asOwner('update wallet_sync.instance set seen_at = clock_timestamp() - make_interval(secs => $2) where id = $1', [id, seenSecondsAgo]);
    return id;
  };
  /** The error of an attempt while the other instance goes on living. */
  const refusal = async (otherId: string, policy: Partial<Policy>): Promise<AppError> => {
    const attempt = register(policy).then(
      () => null,
      (error: unknown) => error,
    );
    let error: unknown;
    let isOver = false;
    void attempt.then((thrown) => {
      error = thrown;
      isOver = true;
    });
    while (!isOver) await heartbeat(database.journal, otherId, {});
    if (!(error instanceof AppError)) throw new Error('it was not refused', { cause: error });
    return error;
  };

  /** Fails where the work waits until an instance's lease has run out. */
  const atOnce = async <T>(work: Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work;
    expect(performance.now() - start).toBeLessThan(INSTANCE_LEASE_MS / 2);
    return result;
  };

  test('makes the instance known and writes the policy', async () => {
    const id = randomUUID();
    await register({ provision: 'confirmed', assign: 'trigger' }, id, 12);
    expect(await control()).toEqual({ provision: 'confirmed', assign: 'trigger', low_water: 12 });
    expect((await livingInstances(database.journal)).map((instance) => instance.id)).toEqual([id]);
    expect(await isPolicyKept(database.journal, { provision: 'confirmed', assign: 'trigger' })).toBe(true);
    expect(await isPolicyKept(database.journal, { provision: 'confirmed', assign: 'daemon' })).toBe(false);
  });

  test.each([
    ['PROVISION', { provision: 'confirmed' }, 'PROVISION=confirmed', 'PROVISION=all'],
    ['ASSIGN', { assign: 'trigger' }, 'ASSIGN=trigger', 'ASSIGN=daemon'],
    ['PROVISION, ASSIGN', { provision: 'non-anonymous', assign: 'trigger' }, 'PROVISION=non-anonymous and ASSIGN=trigger', 'PROVISION=all and ASSIGN=daemon'],
  ] as const)('with another %s than a living instance is an error that names both values and what mends it, and changes nothing', async (where, policy, ours, theirs) => {
    const living = await other(0);
    const error = await atOnce(refusal(living, policy));
    expect(error).toMatchObject({ kind: 'usage', where, message: expect.stringMatching(`${ours}, but process \\d+ on .* has ${theirs} `) as string });
    expect(error.mend).toMatch(new RegExp(`^start this one with ${theirs}, or stop the others first .*10 s`));
    expect(await control()).toEqual({ provision: 'all', assign: 'daemon', low_water: 1 });
    expect((await livingInstances(database.journal)).map((instance) => instance.id)).toEqual([living]);
  });

  test('instances that differ in PROVISION are an error: of two that start together exactly one wins, and its policy holds', async () => {
    for (let i = 0; i < 10; i++) {
      await database.clear();
      await database.asOwner('update wallet_sync.control set policy_set_at = null');
      const starts = [
        { provision: 'all', id: randomUUID() },
        { provision: 'confirmed', id: randomUUID() },
      ] as const;
      let settled = 0;
      const outcomes = await Promise.all(
        starts.map(async ({ provision, id }) => {
          const outcome = await register({ provision }, id).then(() => 'won', (error: AppError) => error.kind);
          settled += 1;
          // As its heartbeat does.
          while (outcome === 'won' && settled < starts.length) await heartbeat(database.journal, id, {});
          return { outcome, provision, id };
        }),
      );
      const won = outcomes.filter(({ outcome }) => outcome === 'won');
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['usage', 'won']);
      expect(await control()).toMatchObject({ provision: won[0]!.provision });
      expect((await livingInstances(database.journal)).map((instance) => instance.id)).toEqual([won[0]!.id]);
    }
  });

  test('waits for an instance that was killed until its lease has run out, and then takes the new policy', async () => {
    await other(9);
    await register({ provision: 'confirmed' });
    expect(await control()).toMatchObject({ provision: 'confirmed' });
    expect((await livingInstances(database.journal)).length).toBe(1);
  });

  test('the same policy as others, or another one after all have stopped, or where none has been written, is taken at once', async () => {
    const first = await other(0);
    await atOnce(register({}, randomUUID(), 5));
    expect(await control()).toEqual({ provision: 'all', assign: 'daemon', low_water: 5 });
    for (const { id } of await livingInstances(database.journal)) await stopInstance(database.journal, id, {});
    await atOnce(register({ assign: 'trigger' }, first));
    expect(await control()).toMatchObject({ assign: 'trigger' });

    // The schema was dropped and migrated again while an instance ran.
    await database.asOwner("update wallet_sync.control set provision = default, assign = default, low_water = default, policy_set_at = null");
    await database.instance();
    expect(await isPolicyKept(database.journal, { provision: 'all', assign: 'daemon' }), 'nobody has chosen it').toBe(false);
    await atOnce(register({ assign: 'trigger' }, first));
    expect(await isPolicyKept(database.journal, { provision: 'all', assign: 'trigger' })).toBe(true);
  });
});
