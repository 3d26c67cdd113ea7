import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { waitingUsers } from '../../../src/journal/assignments.js';
import { stayAwake, tryToSleep } from '../../../src/journal/bell.js';
import type { Db, Journal } from '../../../src/journal/pool.js';
import { listenToBell, type Bell } from '../../support/bell.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';
import { playInOrder, startStepped } from '../../support/steps.js';

let database: Database;
let bell: Bell;
let signingUp: [pg.Client, pg.Client];
let instance: string;

const countWaiting = async (db: Db): Promise<number> => (await waitingUsers(db, 100)).length;

beforeAll(async () => {
  database = await startDatabase();
  bell = await listenToBell(database);
  signingUp = [await database.connect('supabase_auth_admin'), await database.connect('supabase_auth_admin')];
});
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  instance = await database.instance();
  await bell.heard();
});

/** The journal, whose transaction pauses before each statement. */
const steppedJournal = (pause: () => Promise<void>): Journal => ({
  ...database.journal,
  transaction: (work) =>
    database.journal.transaction(async (db) => {
      const result = await work({ query: async (text, values) => (await pause(), db.query(text, values)) });
      await pause();
      return result;
    }),
});

interface SignUpPlan {
  readonly isolation: 'read committed' | 'repeatable read';
  readonly end: 'commit' | 'rollback';
}

const plan = fc.record<SignUpPlan>({
  isolation: fc.constantFrom('read committed', 'read committed', 'read committed', 'repeatable read'),
  end: fc.constantFrom('commit', 'commit', 'commit', 'rollback'),
});

test('in every interleaving of two sign-ups with an instance that goes to sleep, who came is rung for or seen', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(2), { minLength: 15, maxLength: 15 }), plan, plan, async (order, first, second) => {
      await database.asOwner('delete from public.wallet');
      await stayAwake(database.journal, instance);
      const committed: string[] = [];
      let asleep = false;

      const sleeper = startStepped(async (pause) => {
        asleep = await tryToSleep(steppedJournal(pause), instance, countWaiting);
      });
      const signUps = [first, second].map(({ isolation, end }, index) =>
        startStepped(async (pause) => {
          const client = signingUp[index]!;
          const authId = randomUUID();
          await pause();
          await client.query(`begin isolation level ${isolation}`);
          await pause();
          // Here repeatable read takes its snapshot, long before it asks who is awake.
          await client.query('select from auth.users limit 1');
          await pause();
          await client.query(INSERT_USER, [authId]);
          await pause();
          await client.query("update auth.users set role = 'authenticated', email_confirmed_at = clock_timestamp() where id = $1", [authId]);
          await pause();
          await client.query(end);
          if (end === 'commit') committed.push(authId);
        }),
      );
      await playInOrder([sleeper, ...signUps], order);

      const rung = await bell.heard();
      expect(rung.filter((authId) => !committed.includes(authId)), 'nobody is rung for who did not come').toEqual([]);
      if (asleep) expect([...rung].sort(), 'asleep: every sign-up rings').toEqual([...committed].sort());
      else expect(await countWaiting(database.journal), 'awake: the next look finds all').toBe(committed.length);
    }),
    { numRuns: 400 },
  );
});

/** A daemon that has nothing but the bell: looks while somebody comes, sleeps until rung. Returns who it found, once `enough` were. */
async function watchByBell(enough: number): Promise<{ found: Set<string>; slept: number }> {
  const listener = await database.connect('wallet_sync_service');
  let ring: () => void = () => undefined;
  listener.on('notification', () => ring());
  await listener.query('listen wallet_sync');
  const found = new Set<string>();
  let slept = 0;
  const look = async (db: Db): Promise<number> => {
    const fresh = (await waitingUsers(db, 10_000)).filter((authId) => !found.has(authId));
    for (const authId of fresh) found.add(authId);
    return fresh.length;
  };
  for (;;) {
    await stayAwake(database.journal, instance);
    while ((await look(database.journal)) > 0);
    if (found.size >= enough) break;
    const rung = new Promise<void>((resolve) => (ring = resolve));
    if (!(await tryToSleep(database.journal, instance, look))) continue;
    slept++;
    if (found.size < enough) await rung;
  }
  await listener.end();
  return { found, slept };
}

test('a daemon with nothing but the bell overlooks nobody of four connections that sign up at random times', { timeout: 60_000 }, async () => {
  const COUNT = 400;
  const seed = Date.now();
  // A pause of a random number of queries lets the daemon fall asleep in between.
  const pauses = fc.sample(fc.nat(60), { numRuns: COUNT, seed });
  const watched = watchByBell(COUNT);
  const everybody = await Promise.all(
    Array.from({ length: 4 }, async (_, line) => {
      const ids: string[] = [];
      for (let i = 0; i < COUNT / 4; i++) {
        ids.push((await signUp(database.auth)).authId);
        for (let rest = pauses[line * (COUNT / 4) + i]!; rest > 0; rest--) await database.auth.query('select 1');
      }
      return ids;
    }),
  );
  // All have come: what has not been rung for by then is overlooked. The mark comes after all that rang.
  await bell.heard();
  const overlooked = new Promise<null>((resolve) => setTimeout(resolve, 15_000, null).unref());
  const seen = await Promise.race([watched, overlooked]);
  expect(seen, `somebody was overlooked, seed ${seed}`).not.toBe(null);
  const { found, slept } = seen!;
  expect([...found].sort()).toEqual(everybody.flat().sort());
  expect(slept, 'how often it slept').toBeGreaterThan(3);
});
