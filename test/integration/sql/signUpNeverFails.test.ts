import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp, type SignUpOptions } from '../../../dev/signUp.js';
import { waitingUsers } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { listenToBell } from '../../support/bell.js';
import { removeEverything } from '../../support/breakage.js';
import { startDatabase, type Database } from '../../support/database.js';
import { makeMissingWallets } from '../../support/missingWallets.js';

/** How much longer than without us a sign-up may take. */
const MORE_MS = 100;
/** Enough that a pause of the machine doesn't decide: the median counts. */
const SIGN_UPS = 7;

/** Every policy that instances can agree on. */
const POLICIES = (['daemon', 'trigger'] as const).flatMap((assign) => (['all', 'confirmed', 'non-anonymous'] as const).map((provision) => ({ assign, provision })));
/** Free accounts, so that with ASSIGN=trigger some sign-ups find one and others an empty pool. */
const POOL = 4;

let database: Database;
/** The median of sign-ups in a database that knows nothing of us. */
let withoutUsMs: number;

beforeAll(async () => {
  // 64 pages, the fewest: a queue that 250 notifications nearly fill.
  database = await startDatabase({ migrated: false, settings: { max_notify_queue_pages: '64' } });
  await timeSignUps();
  withoutUsMs = (await timeSignUps()).medianMs;
});
afterAll(() => database?.stop());
afterEach(() => database.disconnect());
beforeEach(async () => {
  await removeEverything(database);
  await database.migrate();
  await signUp(database.auth);
});

async function timeSignUps(options: SignUpOptions = {}): Promise<{ medianMs: number; users: string[] }> {
  const times: number[] = [];
  const users: string[] = [];
  for (let i = 0; i < SIGN_UPS; i++) {
    const start = performance.now();
    users.push((await signUp(database.auth, options)).authId);
    times.push(performance.now() - start);
  }
  return { medianMs: times.sort((a, b) => a - b)[Math.floor(SIGN_UPS / 2)]!, users };
}

/** Sign-ups succeed and are hardly slower, measured again up to twice: a busy machine is slow now and then, a wait each time. Returns the users. */
async function expectSignUps(options: SignUpOptions = {}): Promise<string[]> {
  let { medianMs, users } = await timeSignUps(options);
  for (let again = 2; again > 0 && medianMs > withoutUsMs + MORE_MS; again--) {
    const next = await timeSignUps(options);
    medianMs = Math.min(medianMs, next.medianMs);
    users = [...users, ...next.users];
  }
  expect(medianMs, `median; without us ${withoutUsMs.toFixed(1)} ms`).toBeLessThanOrEqual(withoutUsMs + MORE_MS);
  return users;
}

/** Who has his wallet, and who waits for it. */
async function served(): Promise<{ ready: string[]; waiting: string[] }> {
  const ready = await database.asOwner<{ auth_id: string }>('select w.auth_id from public.wallet w join wallet_sync.account a on a.auth_id = w.auth_id and a.address = w.flow_address');
  return { ready: ready.map((row) => row.auth_id), waiting: await waitingUsers(database.journal, 1_000) };
}

/** After the mend everybody has his row, by the sweep where the sign-up could not make it: those whom the policy lets have a wallet. */
async function expectRows(users: readonly string[]): Promise<void> {
  await database.asOwner("update wallet_sync.control set provision = 'all'");
  await makeMissingWallets(database.journal);
  const { ready, waiting } = await served();
  expect([...ready, ...waiting]).toEqual(expect.arrayContaining([...users]));
}

interface Breakage {
  readonly options?: SignUpOptions;
  /** As role postgres, or done by `breaking` in a connection whose transaction stays open. */
  readonly breakIt?: string;
  readonly holdIt?: string;
  readonly mendIt?: string;
}

/** Breaks something, under one policy after another, and signs users up. */
async function expectUnderEveryPolicy({ options, breakIt, holdIt, mendIt }: Breakage): Promise<void> {
  for (const { assign, provision } of POLICIES) {
    await database.asOwner('update wallet_sync.control set assign = $1, provision = $2', [assign, provision]);
    await fillPool(database.journal, POOL);
    const holder = await database.connect('postgres');
    await holder.query('begin');
    if (holdIt !== undefined) await holder.query(holdIt);
    if (breakIt !== undefined) await database.asOwner(breakIt);
    const users = await expectSignUps(options);
    await holder.end();
    if (mendIt !== undefined) await database.asOwner(mendIt);
    if (breakIt !== undefined) await database.migrate();
    await expectRows(users);
  }
}

describe('whoever signs up, under every PROVISION and ASSIGN, a sign-up succeeds, and takes at most 100 ms more than without us,', () => {
  test.each([{ confirmed: true }, { confirmed: false }, { anonymous: true }])('while no daemon runs, for a user who is %o', async (options) => {
    await expectUnderEveryPolicy({ options });
  });

  test('with schema wallet_sync dropped', async () => {
    await database.asOwner('drop schema wallet_sync cascade');
    const users = await expectSignUps();
    await database.migrate();
    await expectRows(users);
  });

  test('with public.wallet missing', async () => {
    await expectUnderEveryPolicy({ breakIt: 'drop table public.wallet cascade' });
  });

  test.each<[string, SignUpOptions]>([
    ['public.wallet', { confirmed: true }],
    ['public.wallet', { anonymous: true }],
    ['wallet_sync.instance', { confirmed: true }],
    ['wallet_sync.control', { confirmed: true }],
    ['wallet_sync.control', { confirmed: false }],
    ['wallet_sync.account', { confirmed: true }],
    ['wallet_sync.user_state', { confirmed: true }],
    ['wallet_sync.account_history', { confirmed: true }],
    ['public.wallet, wallet_sync.instance', { confirmed: true }],
    ['wallet_sync.account, wallet_sync.instance', { confirmed: true }],
    ['wallet_sync.control, public.wallet, wallet_sync.account, wallet_sync.instance', { confirmed: true }],
  ])('with %s locked by DDL, for a user who is %o', async (tables, options) => {
    await expectUnderEveryPolicy({ options, holdIt: `lock table ${tables} in access exclusive mode` });
  });

  test('with every free account locked by somebody else', async () => {
    await expectUnderEveryPolicy({ holdIt: "select from wallet_sync.account where state = 'free' for update" });
  });

  test('with public.wallet lacking its unique index', async () => {
    await database.asOwner('alter table public.wallet drop constraint wallet_auth_id_key');
    const users = await expectSignUps();
    await expect(makeMissingWallets(database.journal)).rejects.toMatchObject({ mend: 'run `wallet-sync migrate`' });
    await database.migrate();
    await expectRows(users);
  });

  test.each<[string, Breakage]>([
    ['a check constraint of public.wallet that refuses', { breakIt: 'alter table public.wallet add constraint never check (false) not valid', mendIt: 'alter table public.wallet drop constraint never' }],
    ['a check constraint of public.wallet that refuses any address', { breakIt: 'alter table public.wallet add constraint never check (flow_address is null) not valid', mendIt: 'alter table public.wallet drop constraint never' }],
    ['a column of public.wallet that demands a value', { breakIt: 'alter table public.wallet add column nickname text not null default 1; alter table public.wallet alter column nickname drop default', mendIt: 'alter table public.wallet drop column nickname' }],
    ["an application's trigger on public.wallet that raises at every row", { breakIt: refuse('insert'), mendIt: 'drop function public.refuse() cascade' }],
    ["an application's trigger on public.wallet that raises at every address", { breakIt: refuse('update'), mendIt: 'drop function public.refuse() cascade' }],
    ['public.wallet holding the address of every free account already', {
      breakIt: "create unique index one_address on public.wallet (flow_address); insert into public.wallet (flow_address) select address from wallet_sync.account where state = 'free'",
      mendIt: 'drop index public.one_address; delete from public.wallet where auth_id is null',
    }],
    ['a free account that nobody may change', { breakIt: "create function wallet_sync.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; create trigger refuse before update on wallet_sync.account for each row execute function wallet_sync.refuse()", mendIt: 'drop function wallet_sync.refuse() cascade' }],
    ['wallet_sync.instance dropped', { breakIt: 'drop table wallet_sync.instance' }],
    ['wallet_sync.account_history dropped', { breakIt: 'drop table wallet_sync.account_history' }],
    ['wallet_sync.control dropped', { breakIt: 'drop table wallet_sync.control cascade' }],
    ['wallet_sync.control empty', { breakIt: 'delete from wallet_sync.control' }],
    ['the bell dropped', { breakIt: 'drop function wallet_sync.ring(uuid)' }],
    ['the assignment dropped', { breakIt: 'drop function wallet_sync.assign(integer, text, jsonb, uuid)' }],
    ['the reading of the policy dropped', { breakIt: 'drop function wallet_sync.read_policy()' }],
    ['the policy itself dropped', { breakIt: 'drop function wallet_sync.meets_policy(text, timestamptz, timestamptz, boolean, timestamptz) cascade' }],
    ['what serves a sign-up dropped', { breakIt: 'drop function wallet_sync.greet(uuid, boolean, integer)' }],
  ])('with %s', async (_, breakage) => {
    await expectUnderEveryPolicy(breakage);
  });

  test('with the notification queue so full that one more fails at commit: nobody is rung for, everybody is found by looking', async () => {
    // An empty pool: with ASSIGN=trigger too every sign-up would ring.
    for (const assign of ['daemon', 'trigger']) {
      await database.asOwner('update wallet_sync.control set assign = $1', [assign]);
      const idler = await database.connect('wallet_sync_service');
      await idler.query('listen wallet_sync_elsewhere');
      await idler.query('begin');
      await idler.query('select 1');
      const notify = () => database.asOwner("select pg_notify('wallet_sync_elsewhere', repeat('x', 7000))").then(() => true as const, (error: Error) => error.message);
      let sent: true | string = true;
      while (sent === true) sent = await notify();
      expect(sent).toMatch(/too many notifications/);
      const users = await expectSignUps();
      await idler.end();
      expect((await waitingUsers(database.journal, 1_000)).slice(-users.length)).toEqual(users);

      const bell = await listenToBell(database);
      const { authId } = await signUp(database.auth);
      expect(await bell.heard(), 'rings again when there is room').toEqual([authId]);
      await database.disconnect();
    }
  });
});

/** An application's trigger that raises at every insert, or every update, of public.wallet. */
function refuse(event: 'insert' | 'update'): string {
  return `create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create trigger refuse before ${event} on public.wallet for each row execute function public.refuse()`;
}

test('with ASSIGN=trigger what was given stays given where the bell fails', async () => {
  await database.asOwner("update wallet_sync.control set assign = 'trigger', low_water = 100");
  await fillPool(database.journal, 1);
  await database.asOwner('drop table wallet_sync.instance');
  const { authId } = await signUp(database.auth);
  await database.migrate();
  expect((await served()).ready).toEqual([authId]);
});
