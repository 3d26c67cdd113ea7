import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { AppError } from '../../../src/errors.js';
import { createAuditedVault } from '../../../src/handlers/auditedVault.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { readAudit, writeAudit, type AuditFilter, type AuditLine } from '../../../src/journal/audit.js';
import { askControl, recordControl } from '../../../src/journal/control.js';
import { recordFailedCreation, recordGivenUpCreation, recordLateCreation } from '../../../src/journal/creations.js';
import { recordSealedFunding } from '../../../src/journal/fundings.js';
import { recordSealedRepair } from '../../../src/journal/repairs.js';
import { retryAccount, retryAllFailed } from '../../../src/journal/retry.js';
import { fillPool } from '../../support/accounts.js';
import { hex, INSERT_USER, startDatabase, type Database } from '../../support/database.js';
import { journalSteps, type JournalSteps } from '../../support/journalWorld.js';

let database: Database;
let steps: JournalSteps;
let instanceId: string;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.postgres.query('supabase_admin', "set session_replication_role = 'replica'; delete from wallet_sync.audit; set session_replication_role = 'origin'");
  await database.asOwner("update wallet_sync.control set assign = 'daemon', provision = 'all'");
  steps = await journalSteps(database);
  instanceId = await database.instance();
});

async function entries(filter: AuditFilter = {}, limit?: number, pageSize?: number): Promise<AuditLine[]> {
  const all: AuditLine[] = [];
  for await (const page of readAudit(database.journal, filter, limit, pageSize)) all.push(...page);
  return all;
}
const kinds = async (filter?: AuditFilter): Promise<string[]> => (await entries(filter)).map((entry) => entry.kind);

describe('an entry', () => {
  beforeEach(() => writeAudit(database.journal, instanceId, [{ kind: 'started' }]));

  test.each(["update wallet_sync.audit set kind = 'other'", 'delete from wallet_sync.audit', 'truncate wallet_sync.audit'])('is never changed, neither by the service nor by the owner: %s', async (sql) => {
    await expect(database.journal.query(sql)).rejects.toThrow(/permission denied/);
    await expect(database.asOwner(sql)).rejects.toThrow(/the audit log is never changed/);
    expect(await kinds()).toEqual(['started']);
  });

  test.each([
    "insert into wallet_sync.audit (at, kind) values ('2020-01-01', 'started')",
    "insert into wallet_sync.audit (id, kind) overriding system value values (1, 'started')",
    "select wallet_sync.forget_audit('2030-01-01')",
    'alter table wallet_sync.audit disable trigger guard_audit',
  ])('is neither dated back nor removed by the service: %s', async (sql) => {
    await expect(database.journal.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  test('from before a time is removed by the owner alone, through the one function that leaves an entry of it', async () => {
    await writeAudit(database.journal, instanceId, [{ kind: 'started' }]);
    const [last] = await database.asOwner<{ at: string }>('select max(at)::text as at from wallet_sync.audit');
    expect(await database.asOwner('select wallet_sync.forget_audit($1)::int as forgotten', [last!.at])).toEqual([{ forgotten: 1 }]);
    const left = await entries();
    expect(left.map((entry) => entry.kind)).toEqual(['started', 'audit-forgotten']);
    expect(left[1]!.detail).toMatchObject({ entries: 1, role: 'postgres' });
    await expect(database.asOwner('delete from wallet_sync.audit')).rejects.toThrow(/never changed/);
  });
});

describe('each fact has its entry, written by the commit that makes it true:', () => {
  test('keys made, a creation signed and sealed', async () => {
    const accounts = await steps.prepare(instanceId, 2);
    const transaction = await steps.create(instanceId, accounts);
    await steps.seal(instanceId, transaction, accounts);
    expect(await entries()).toMatchObject([
      ...accounts.map((account) => ({ kind: 'key-made', account_id: account.id, instance: instanceId })),
      { kind: 'transaction-signed', tx_id: transaction.id, instance: instanceId, detail: { kind: 'create', slot: expect.stringMatching(/^0x[0-9a-f]{16}\/\d$/) as string } },
      { kind: 'transaction-sealed', tx_id: transaction.id, instance: instanceId, detail: { kind: 'create', height: 110, fee: 1 } },
    ]);
  });

  test('a creation failed', async () => {
    const accounts = await steps.prepare(instanceId, 1);
    const transaction = await steps.create(instanceId, accounts);
    await recordFailedCreation(database.journal, { instanceId, transaction, sealedHeight: 110, fee: 1n, error: new AppError('computation', 'too much'), batchMax: 1 });
    expect((await entries()).at(-1)).toMatchObject({ kind: 'transaction-failed', tx_id: transaction.id, detail: { error_kind: 'computation', error: 'too much' } });
  });

  test('a creation given up, and sealed after all', async () => {
    const accounts = await steps.prepare(instanceId, 1);
    const transaction = await steps.create(instanceId, accounts);
    await recordGivenUpCreation(database.journal, { instanceId, transaction, error: new AppError('expired', 'no trace') });
    await recordLateCreation(database.journal, { transaction, created: [{ publicKey: accounts[0]!.publicKey, address: `0x${hex(8)}` }], sealedHeight: 900, fee: 1n });
    expect((await kinds()).slice(-2)).toEqual(['transaction-given-up', 'transaction-sealed']);
  });

  test('wallets funded, those whose deposit the chain shows, with their amounts', async () => {
    const accounts = await steps.prepare(instanceId, 2);
    await steps.seal(instanceId, await steps.create(instanceId, accounts), accounts);
    const rows = await database.asOwner<{ id: number; address: string }>('select id::int, address from wallet_sync.account order by id');
    const transaction = await steps.record(instanceId, 'fund', rows.map((row) => ({ accountId: row.id, balanceHeight: 120 })));
    await recordSealedFunding(database.journal, { instanceId, transaction, sealedHeight: 130, fee: 1n, executionEffort: 1, deposits: [{ address: rows[0]!.address, amount: 7n }, { address: rows[0]!.address, amount: 3n }] });
    expect((await entries()).slice(-2)).toMatchObject([
      { kind: 'transaction-sealed', tx_id: transaction.id },
      { kind: 'wallet-funded', account_id: rows[0]!.id, tx_id: transaction.id, detail: { address: rows[0]!.address, amount: '10' } },
    ]);
  });

  test('a wallet repaired', async () => {
    const { authId } = await signUp(database.auth);
    await fillPool(database.journal, 1);
    const [given] = await assignAccounts(database.journal, { maxUsers: 1, via: 'poll', heard: {} });
    const transaction = await steps.record(instanceId, 'repair', [{ accountId: given!.accountId, makesVault: true }]);
    await recordSealedRepair(database.journal, { instanceId, transaction, sealedHeight: 130, fee: 1n, executionEffort: 1 });
    expect((await entries({ kind: 'wallet-repaired' }))).toMatchObject([{ auth_id: authId, account_id: given!.accountId, tx_id: transaction.id, detail: { address: given!.address, made_vault: true } }]);
  });

  test('paused, resumed and resyncs, by whom: as he names himself, or, of a NOTIFY, as Postgres knows its sender', async () => {
    await askControl(database.journal, { name: 'pause' }, 'ann@host');
    await askControl(database.journal, { name: 'pause' }, 'bob@host');
    const psql = await database.connect('postgres');
    const [{ pid } = { pid: 0 }] = (await psql.query<{ pid: number }>('select pg_backend_pid() as pid')).rows;
    await recordControl(database.journal, { name: 'resume' }, pid);
    await recordControl(database.journal, { name: 'resync' }, pid);
    const authId = randomUUID();
    await askControl(database.journal, { name: 'resync', authId });
    expect(await entries()).toMatchObject([
      { kind: 'paused', detail: { by: 'ann@host', role: 'wallet_sync_service', application: 'wallet-sync' } },
      { kind: 'resumed', detail: { sender_pid: pid, role: 'postgres' } },
      { kind: 'resync-asked', auth_id: null, detail: { sender_pid: pid, role: 'postgres' } },
      { kind: 'resync-asked', auth_id: authId, detail: { role: 'wallet_sync_service' } },
    ]);
  });

  test('what was retried, by whom', async () => {
    const failed = (await database.asOwner<{ id: number }>("insert into wallet_sync.account (state, public_key, private_key) select 'failed', repeat(n::text, 128), 'v1' from generate_series(1, 2) n returning id::int")).map((row) => row.id);
    await retryAccount(database.journal, failed[0]!, 'ann@host');
    await retryAccount(database.journal, 999_999, 'ann@host');
    await retryAllFailed(database.journal, 'ann@host');
    expect(await entries({ kind: 'retried' })).toMatchObject(failed.map((id) => ({ account_id: id, detail: { by: 'ann@host' } })));
  });

  test('a key opened, before it is', async () => {
    const masterKey = Buffer.alloc(32, 7);
    const publicKey = hex(64);
    const vault = createAuditedVault({ masterKey, journal: database.journal, instanceId });
    const sealed = vault.seal('ab'.repeat(32), publicKey);
    const authIds = [randomUUID(), randomUUID()];
    const opener = await vault.openFor({ why: 'its key file', authIds });
    expect((await entries()).map(({ kind, auth_id, detail }) => ({ kind, auth_id, detail }))).toEqual(authIds.map((id) => ({ kind: 'key-opened', auth_id: id, detail: { why: 'its key file' } })));
    expect(opener.open(sealed, publicKey)).toBe('ab'.repeat(32));
  });
});

test('no key is opened where the entry cannot be written', async () => {
  const journal = { query: () => Promise.reject(new AppError('network', 'no database')) };
  await expect(createAuditedVault({ masterKey: Buffer.alloc(32), journal, instanceId }).openFor({ why: 'a test' })).rejects.toThrow('no database');
});

test('what is rolled back leaves no entry', async () => {
  const accounts = await steps.prepare(instanceId, 1);
  const before = await kinds();
  await expect(
    database.journal.transaction(async (db) => {
      await db.query("insert into wallet_sync.account (public_key, private_key) values (repeat('a', 128), 'v1')");
      await askControl({ ...database.journal, transaction: (work) => work(db) }, { name: 'pause' });
      throw new Error('broken off');
    }),
  ).rejects.toThrow('broken off');
  // The second member is nobody's: the signed transaction is not recorded.
  await expect(steps.record(instanceId, 'create', [{ accountId: accounts[0]!.id }, { accountId: 999_999 }])).rejects.toThrow();
  expect(await kinds()).toEqual(before);
});

test('a sign-up that takes its account itself writes no entry and holds no lock on the log; that it was given is read from its account', async () => {
  await fillPool(database.journal, 1);
  await database.asOwner("update wallet_sync.control set assign = 'trigger'");
  const before = await kinds();
  const client = await database.connect('supabase_auth_admin');
  const authId = randomUUID();
  await client.query('begin');
  await client.query(INSERT_USER, [authId]);
  const locks = await client.query("select distinct c.relname from pg_locks l join pg_class c on c.oid = l.relation where l.pid = pg_backend_pid() and c.relname like 'audit%'");
  expect(locks.rows).toEqual([]);
  await client.query('commit');
  expect(await kinds()).toEqual([...before, 'wallet-given']);
  expect((await entries({ authId })).map(({ kind, detail }) => ({ kind, detail }))).toEqual([{ kind: 'key-made', detail: {} }, { kind: 'wallet-given', detail: { address: expect.stringMatching(/^0x/) as string, delivered_by: 'trigger', from_pool: true } }]);
  expect(await database.asOwner('select count(*)::int as written from wallet_sync.audit')).toEqual([{ written: before.length }]);
});

describe('reading', () => {
  test('one user: the key, the transactions that named his account, and what he was given, and nobody else', async () => {
    const { authId } = await signUp(database.auth);
    const accounts = await steps.prepare(instanceId, 2);
    const transaction = await steps.create(instanceId, accounts);
    await steps.seal(instanceId, transaction, accounts);
    const other = await steps.prepare(instanceId, 4);
    await steps.create(instanceId, other);
    await assignAccounts(database.journal, { maxUsers: 1, via: 'notify', heard: {} });
    await writeAudit(database.journal, instanceId, [{ kind: 'key-opened', authId, detail: { why: 'a test' } }, { kind: 'key-opened', authId: randomUUID() }]);
    expect(await kinds({ authId })).toEqual(['key-made', 'transaction-signed', 'transaction-sealed', 'wallet-given', 'key-opened']);
  });

  test('gives all entries once and in order, whatever the page, and as many as asked', async () => {
    // Many at one time, on both sides of a page's end.
    await database.journal.transaction(async (db) => {
      for (let i = 0; i < 5; i += 1) await writeAudit(db, instanceId, Array.from({ length: 9 }, (_, n) => ({ kind: 'started', detail: { n: i * 9 + n } })));
    });
    const whole = await entries();
    expect(whole.map((entry) => entry.detail['n'])).toEqual(Array.from({ length: 45 }, (_, n) => n));
    for (const pageSize of [1, 7, 45]) expect(await entries({}, undefined, pageSize)).toEqual(whole);
    expect(await entries({}, 10, 4)).toEqual(whole.slice(0, 10));
    expect(await entries({ kind: 'paused' })).toEqual([]);
    expect(await entries({ since: new Date(Date.now() + 3_600_000) })).toEqual([]);
    expect(await entries({ since: new Date(Date.now() - 3_600_000) })).toEqual(whole);
  });
});
