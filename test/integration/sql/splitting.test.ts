import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { recordFailedCreation } from '../../../src/journal/creations.js';
import type { PreparedAccount } from '../../../src/journal/demand.js';
import { startDatabase, type Database } from '../../support/database.js';
import { journalSteps, type JournalSteps } from '../../support/journalWorld.js';

const POOL = 25;

let database: Database;
let ann: string;
let steps: JournalSteps;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
  steps = await journalSteps(database);
});

const prepare = (): Promise<PreparedAccount[]> => steps.prepare(ann, POOL);
const states = async () => Object.fromEntries((await database.asOwner<{ state: string; n: number }>('select state::text, count(*)::int as n from wallet_sync.account group by 1')).map((row) => [row.state, row.n]));
const fail = async (accounts: readonly PreparedAccount[], error: AppError, batchMax: number | null) =>
  recordFailedCreation(database.journal, { instanceId: ann, transaction: await steps.create(ann, accounts), sealedHeight: 110, error, fee: 1n, batchMax });

test.each([0, 7, 12, 24])('a batch that member %i spoils is halved until that member stands alone and failed; the rest succeed, and nobody else is drawn in', async (place) => {
  const first = await prepare();
  const bad = first.map((account) => account.publicKey).sort()[place]!;
  const sizes: number[] = [];
  for (let accounts = first; accounts.length > 0; accounts = await prepare()) {
    sizes.push(accounts.length);
    if (sizes.length > 20) throw new Error(`no end: ${sizes.join(' ')}`);
    if (accounts.some((account) => account.publicKey === bad)) await fail(accounts, new AppError('chain-state', 'it panics', { mend: 'mend it' }), accounts.length === 1 ? 0 : Math.ceil(accounts.length / 2));
    else await steps.seal(ann, await steps.create(ann, accounts), accounts);
  }
  const [failed] = await database.asOwner("select public_key, error_kind, error, solution from wallet_sync.account where state = 'failed'");
  expect(failed).toEqual({ public_key: bad, error_kind: 'chain-state', error: 'it panics', solution: 'mend it' });
  expect(await states()).toEqual({ failed: 1, free: POOL });
});

test('a failure that no member can cause bounds nobody: the batch is built again whole', async () => {
  const accounts = await prepare();
  await fail(accounts, new AppError('funds', 'empty'), null);
  expect((await prepare()).map((account) => account.id).sort()).toEqual(accounts.map((account) => account.id).sort());
});

test('a failed account can be prepared again, and no account returns from assigned or expired', async () => {
  const accounts = await prepare();
  await fail(accounts, new AppError('chain-state', 'x'), 0);
  await database.asOwner("update wallet_sync.account set state = 'prepared', batch_max = 1 where id = $1", [accounts[0]!.id]);
  await expect(database.asOwner("update wallet_sync.account set state = 'submitted' where state = 'failed'")).rejects.toThrow(/cannot go from failed to submitted/);
});
