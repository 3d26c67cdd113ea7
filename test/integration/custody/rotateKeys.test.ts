import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { createAuditedVault } from '../../../src/handlers/auditedVault.js';
import { registerMasterKey, requireMasterKeys } from '../../../src/handlers/requireMasterKeys.js';
import { rotateKeys, type Rotated } from '../../../src/handlers/rotateKeys.js';
import { readAudit } from '../../../src/journal/audit.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { prepareAccounts, readDemand } from '../../../src/journal/demand.js';
import { heartbeat } from '../../../src/journal/instances.js';
import { countKeys, makeCurrent, readMasterKeys, registerNext, sealingKey } from '../../../src/journal/masterKeys.js';
import { readStatus } from '../../../src/journal/report.js';
import { adoptWallets } from '../../../src/journal/sweepPages.js';
import { createVault, keyIdOf, type Vault } from '../../../src/secrets.js';
import { differingCopies, seedKeys, storedKeys } from '../../support/custody.js';
import { until } from '../../support/daemonWorld.js';
import { hex, startDatabase, type Database } from '../../support/database.js';

let database: Database;
let oldKey: Buffer;
let newKey: Buffer;
let oldVault: Vault;
let newVault: Vault;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.asOwner('delete from wallet_sync.master_key');
  [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
  [oldVault, newVault] = [createVault(oldKey), createVault(newKey)];
});

const audited = (masterKey: Buffer, nextMasterKey?: Buffer) => createAuditedVault({ masterKey, nextMasterKey, journal: database.journal, instanceId: randomUUID() });
const rotate = (options: { readonly keys?: readonly [Buffer, Buffer?]; readonly signal?: AbortSignal } = {}): Promise<Rotated> => {
  const [masterKey, next] = options.keys ?? [oldKey, newKey];
  return rotateKeys({ journal: database.journal, vault: audited(masterKey, next), next: next === undefined ? null : createVault(next).keyId, by: 'test', signal: options.signal ?? new AbortController().signal });
};
const states = async (): Promise<Record<string, string>> => Object.fromEntries((await readMasterKeys(database.journal)).map((key) => [key.id, key.state]));
const kindsSince = async (at: Date): Promise<string[]> => {
  const kinds: string[] = [];
  for await (const page of readAudit(database.journal, { since: at })) kinds.push(...page.map((line) => line.kind));
  return kinds;
};
const register = (key: Buffer): Promise<void> => registerMasterKey(database.journal, audited(key));

describe('a rotation', () => {
  it('moves every key in both tables to the new master key, both copies alike, whatever state its account is in, and retires the old one', async () => {
    await register(oldKey);
    const startedAt = new Date();
    const noted = await seedKeys(database.postgres, oldVault, { assigned: 450, free: 25 });
    await database.asOwner("update wallet_sync.account set state = 'set_aside' where id in (select id from wallet_sync.account where state = 'free' limit 3)");
    for (const state of ['prepared', 'submitted', 'expired', 'failed']) {
      const publicKey = hex(64);
      noted.set(publicKey, hex(32));
      await database.asOwner('insert into wallet_sync.account (state, public_key, private_key) values ($1::wallet_sync.account_state, $2, $3)', [state, publicKey, oldVault.seal(noted.get(publicKey)!, publicKey)]);
    }
    // One whose user is gone, one that an application has sealed anew, one without an account.
    const [gone, anew] = await database.asOwner<{ auth_id: string; flow_public_key: string }>('select auth_id, flow_public_key from public.wallet order by id limit 2');
    await database.postgres.query('supabase_admin', 'delete from auth.users where id = $1', [gone!.auth_id]);
    await database.asOwner('update public.wallet set flow_private_key = $2 where auth_id = $1', [anew!.auth_id, oldVault.seal(noted.get(anew!.flow_public_key)!, anew!.flow_public_key)]);
    const alone = hex(64);
    noted.set(alone, hex(32));
    await database.asOwner('insert into public.wallet (flow_address, flow_private_key, flow_public_key) values ($1, $2, $3)', [`0x${hex(8)}`, oldVault.seal(noted.get(alone)!, alone), alone]);
    // What an adoption has kept of an older service's key.
    const old = hex(64);
    noted.set(old, hex(32));
    await database.asOwner("insert into wallet_sync.adopted (action, public_key, sealed_key) values ('kept-from-file', $1, $2)", [old, oldVault.seal(noted.get(old)!, old)]);

    const progress: number[] = [];
    const rotated = await rotateKeys({ journal: database.journal, vault: audited(oldKey, newKey), next: newVault.keyId, by: 'test', signal: new AbortController().signal, onProgress: (done, of) => progress.push(done / of) });
    expect(rotated).toEqual({ from: [oldVault.keyId], to: newVault.keyId, accounts: 479, wallets: 451, kept: 1, ended: true, unopened: [] });
    const stored = await storedKeys(database.postgres);
    expect(stored).toHaveLength(479 + 451 + 1);
    for (const { publicKey, sealed } of stored) expect(newVault.open(sealed, publicKey)).toBe(noted.get(publicKey));
    // What the sweep compares; also of him whose row was sealed anew. The row of who is gone has his account's again.
    expect(await differingCopies(database.postgres)).toBe(0);
    expect(await database.asOwner('select 1 from public.wallet w join wallet_sync.account a on a.public_key = w.flow_public_key and a.private_key = w.flow_private_key where w.auth_id is null')).toHaveLength(1);
    expect(await states()).toEqual({ [oldVault.keyId]: 'retired', [newVault.keyId]: 'current' });
    expect(progress.at(-1)).toBe(1);
    const kinds = await kindsSince(startedAt);
    expect(kinds.filter((kind) => ['rotation-started', 'rotation-ended'].includes(kind))).toEqual(['rotation-started', 'rotation-ended']);
    expect(kinds).toContain('keys-rewrapped');
    expect(kinds).toContain('key-opened');

    // Again: nothing to do; and a third master key follows.
    expect(await rotate()).toMatchObject({ accounts: 0, wallets: 0, ended: true });
    const third = randomBytes(32);
    expect(await rotate({ keys: [newKey, third] })).toMatchObject({ accounts: 479, ended: true });
    expect(await countKeys(database.journal)).toEqual([{ id: createVault(third).keyId, accounts: 479, wallets: 451, kept: 1 }]);
  });

  it('that is stopped anywhere goes on where it was when it is run again, and every start needs both master keys until then', async () => {
    await register(oldKey);
    const noted = await seedKeys(database.postgres, oldVault, { assigned: 900, free: 30 });
    let runs = 0;
    for (let ended = false; !ended; runs++) {
      const stop = new AbortController();
      let shown = 0;
      const rotated = await rotateKeys({ journal: database.journal, vault: audited(oldKey, newKey), next: newVault.keyId, by: 'test', signal: stop.signal, onProgress: (done, of) => void (++shown >= 3 && done < of && stop.abort()) });
      ended = rotated.ended;
      if (ended) break;
      expect((await readStatus(database.journal)).rotating_to).toBe(newVault.keyId);
      for (const half of [oldKey, newKey]) await expect(requireMasterKeys(database.journal, audited(half))).rejects.toMatchObject({ kind: 'usage', mend: expect.stringContaining('a rotation is under way') as string });
      await requireMasterKeys(database.journal, audited(oldKey, newKey));
      await requireMasterKeys(database.journal, audited(newKey, oldKey));
    }
    expect(runs).toBeGreaterThan(2);
    for (const { publicKey, sealed } of await storedKeys(database.postgres)) expect(newVault.open(sealed, publicKey)).toBe(noted.get(publicKey));
    expect(await differingCopies(database.postgres)).toBe(0);
    expect((await readStatus(database.journal)).rotating_to).toBeNull();
    await expect(requireMasterKeys(database.journal, audited(oldKey))).rejects.toThrow(/retired by a rotation/);
    await requireMasterKeys(database.journal, audited(newKey));
  });

  it('shares the work with another one that runs at the same time, and both end', async () => {
    await register(oldKey);
    const noted = await seedKeys(database.postgres, oldVault, { assigned: 800, free: 30 });
    const both = await Promise.all([rotate(), rotate()]);
    expect(both.map((each) => each.ended)).toEqual([true, true]);
    expect(both[0].accounts + both[1].accounts).toBe(830);
    expect(both[0].wallets + both[1].wallets).toBe(800);
    for (const { publicKey, sealed } of await storedKeys(database.postgres)) expect(newVault.open(sealed, publicKey)).toBe(noted.get(publicKey));
    expect(await differingCopies(database.postgres)).toBe(0);
    expect(await states()).toEqual({ [oldVault.keyId]: 'retired', [newVault.keyId]: 'current' });
  });

  it('is refused, and nothing is moved, while a living instance does not hold the next master key; it is named', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 5, free: 2 });
    const [has, lacks, untold] = [randomUUID(), randomUUID(), randomUUID()];
    await heartbeat(database.journal, has, {}, { masterKeys: [oldVault.keyId, newVault.keyId] });
    await heartbeat(database.journal, lacks, {}, { masterKeys: [oldVault.keyId] });
    await heartbeat(database.journal, untold, {});
    await expect(rotate()).rejects.toMatchObject({ kind: 'data', message: expect.stringMatching(new RegExp(`(${lacks}|${untold}).*(${lacks}|${untold})`)) as string, mend: expect.stringContaining('WALLET_ENCRYPTION_KEY_NEXT') as string });
    await expect(rotate()).rejects.not.toThrow(has);
    expect(await states()).toEqual({ [oldVault.keyId]: 'current' });
    expect(await countKeys(database.journal)).toEqual([{ id: oldVault.keyId, accounts: 7, wallets: 5, kept: 0 }]);
    await heartbeat(database.journal, lacks, {}, { masterKeys: [oldVault.keyId, newVault.keyId] });
    await database.asOwner('update wallet_sync.instance set stopped_at = clock_timestamp() where id = $1', [untold]);
    expect(await rotate()).toMatchObject({ ended: true });
  });

  it('is refused where the settings do not fit: no next key, a retired one, another one than the rotation under way', async () => {
    await register(oldKey);
    await expect(rotate({ keys: [oldKey] })).rejects.toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY_NEXT' });
    await rotate();
    await expect(rotate({ keys: [newKey, oldKey] })).rejects.toMatchObject({ kind: 'usage', message: expect.stringContaining('was retired') as string });
    const [third, fourth] = [randomBytes(32), randomBytes(32)];
    await registerNext(database.journal, createVault(third).keyId);
    await expect(rotate({ keys: [newKey, fourth] })).rejects.toMatchObject({ kind: 'usage', mend: expect.stringContaining(createVault(third).keyId) as string });
    expect(await states()).toMatchObject({ [newVault.keyId]: 'current', [createVault(third).keyId]: 'next' });
  });

  it('leaves a key that does not open as it is, says whose it is, does not end, and ends once that is mended', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 210, free: 5 });
    const [broken] = await database.asOwner<{ id: number; auth_id: string; private_key: string }>("select id::int, auth_id, private_key from wallet_sync.account where state = 'assigned' order by id limit 1 offset 100");
    const changed = `${broken!.private_key.slice(0, -4)}AAAA`;
    await database.asOwner('update wallet_sync.account set private_key = $2 where id = $1', [broken!.id, changed]);
    // A row without public key opens nowhere either.
    await database.asOwner('insert into public.wallet (flow_private_key) values ($1)', [oldVault.seal(hex(32), hex(64))]);
    const rotated = await rotate();
    expect(rotated).toMatchObject({ ended: false, accounts: 214, wallets: 210 });
    expect(rotated.unopened).toEqual([
      { table: 'wallet_sync.account', accountId: broken!.id, authId: null, reason: expect.stringMatching(/does not open/) as string },
      { table: 'public.wallet', accountId: null, authId: null, reason: expect.stringMatching(/no public key/) as string },
    ]);
    expect(await database.asOwner('select private_key from wallet_sync.account where id = $1', [broken!.id])).toEqual([{ private_key: changed }]);
    expect(await states()).toEqual({ [oldVault.keyId]: 'retiring', [newVault.keyId]: 'current' });
    // From his own row, which opened and was moved; the other one is removed.
    await database.asOwner('update wallet_sync.account a set private_key = w.flow_private_key from public.wallet w where a.id = $1 and w.auth_id = a.auth_id', [broken!.id]);
    await database.asOwner('delete from public.wallet where flow_public_key is null');
    expect(await rotate()).toMatchObject({ ended: true, unopened: [] });
  });

  describe('whose plan another rotation has overtaken', () => {
    const third = randomBytes(32);
    const thirdVault = createVault(third);
    /** A rotation that others come before, once it has planned and before it changes anything. */
    const overtaken = (keys: readonly [Buffer, Buffer], meanwhile: () => Promise<void>): Promise<Rotated> => {
      let first: Promise<void> | undefined;
      return rotateKeys({
        journal: { ...database.journal, transaction: (work) => (first ??= meanwhile()).then(() => database.journal.transaction(work)) },
        vault: audited(...keys), next: createVault(keys[1]).keyId, by: 'test', signal: new AbortController().signal,
      });
    };

    it.each(['has ended', 'is in the middle', 'is registered'] as const)('is refused before it registers its own next master key: the other one %s', async (progress) => {
      await register(oldKey);
      const noted = await seedKeys(database.postgres, oldVault, { assigned: 20, free: 5 });
      await expect(overtaken([oldKey, third], async () => {
        if (progress === 'has ended') return void (await rotate());
        await registerNext(database.journal, newVault.keyId);
        if (progress === 'is in the middle') await database.journal.transaction((db) => makeCurrent(db, newVault.keyId));
      })).rejects.toMatchObject({ kind: 'usage', message: expect.stringContaining('another rotation') as string });
      expect(await states()).toEqual({ 'has ended': { [oldVault.keyId]: 'retired', [newVault.keyId]: 'current' }, 'is in the middle': { [oldVault.keyId]: 'retiring', [newVault.keyId]: 'current' }, 'is registered': { [oldVault.keyId]: 'current', [newVault.keyId]: 'next' } }[progress]);
      expect(await rotate(progress === 'has ended' ? { keys: [newKey] } : {}).catch((thrown: unknown) => thrown)).toMatchObject(progress === 'has ended' ? { kind: 'usage' } : { ended: true });
      for (const { publicKey, sealed } of await storedKeys(database.postgres)) expect(newVault.open(sealed, publicKey)).toBe(noted.get(publicKey));
    });

    it('retires no master key that keys are under: not the one that it has moved to itself', async () => {
      await register(oldKey);
      const noted = await seedKeys(database.postgres, oldVault, { assigned: 20, free: 5 });
      await registerNext(database.journal, newVault.keyId);
      await database.journal.transaction((db) => makeCurrent(db, newVault.keyId));
      await expect(overtaken([oldKey, newKey], async () => {
        await rotate();
        await registerNext(database.journal, thirdVault.keyId);
        await database.journal.transaction((db) => makeCurrent(db, thirdVault.keyId));
      })).rejects.toMatchObject({ kind: 'data', message: expect.stringContaining('another rotation') as string });
      expect(await states()).toEqual({ [oldVault.keyId]: 'retired', [newVault.keyId]: 'retiring', [thirdVault.keyId]: 'current' });
      expect(await rotate({ keys: [newKey, third] })).toMatchObject({ ended: true });
      for (const { publicKey, sealed } of await storedKeys(database.postgres)) expect(thirdVault.open(sealed, publicKey)).toBe(noted.get(publicKey));
    });
  });

  it('waits for a row that somebody holds locked, and moves it then', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 20, free: 0 });
    const client = await database.connect('postgres');
    await client.query("begin; select from public.wallet order by id limit 1 for update; select from wallet_sync.account order by id desc limit 1 for update");
    let waited = 0;
    const rotated = await rotateKeys({
      journal: { ...database.journal, query: (text, values) => (text.includes('sum(accounts)') && ++waited === 3 ? client.query('commit').then(() => database.journal.query(text, values)) : database.journal.query(text, values)) },
      vault: audited(oldKey, newKey), next: newVault.keyId, by: 'test', signal: new AbortController().signal,
    });
    expect(waited).toBeGreaterThanOrEqual(3);
    expect(rotated).toMatchObject({ ended: true, accounts: 20, wallets: 20 });
  });
});

describe('an account whose key is under an old master key', () => {
  const under = (vault: Vault): Promise<unknown> => {
    const publicKey = hex(64);
    return database.asOwner("insert into wallet_sync.account (state, public_key, private_key, address, free_at) values ('free', $1, $2, $3, clock_timestamp())", [publicKey, vault.seal(hex(32), publicKey), `0x${hex(8)}`]);
  };
  const given = async (): Promise<(string | null)[]> => (await database.asOwner<{ key: string }>('select flow_private_key as key from public.wallet where flow_address is not null order by id')).map(({ key }) => keyIdOf(key));

  it.each(['daemon', 'trigger'] as const)('is given to nobody, and not counted free, while others are (%s)', async (way) => {
    await register(oldKey);
    for (const vault of [oldVault, oldVault, newVault]) await under(vault);
    await registerNext(database.journal, newVault.keyId);
    await database.journal.transaction((db) => makeCurrent(db, newVault.keyId));
    expect(await readDemand(database.journal, 5)).toMatchObject({ free: 1, demand: 4 });
    await database.asOwner('update wallet_sync.control set assign = $1', [way]);
    try {
      for (let i = 0; i < 2; i++) await signUp(database.auth);
      if (way === 'daemon') await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
      expect(await given()).toEqual([newVault.keyId]);
      expect(await readDemand(database.journal, 5)).toMatchObject({ free: 0, waiting: 1 });
      expect(await rotate()).toMatchObject({ ended: true });
      expect(await readDemand(database.journal, 5)).toMatchObject({ free: 2 });
      await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
      expect(await given()).toEqual([newVault.keyId, newVault.keyId]);
    } finally {
      await database.asOwner("update wallet_sync.control set assign = 'daemon'");
    }
  });

  it.each(['daemon', 'trigger'] as const)('is given to nobody, and not counted free, where that master key is lost and was retired by hand (%s)', async (way) => {
    await register(oldKey);
    for (const vault of [oldVault, oldVault, newVault]) await under(vault);
    await registerNext(database.journal, newVault.keyId);
    await database.journal.transaction((db) => makeCurrent(db, newVault.keyId));
    await database.asOwner("update wallet_sync.master_key set state = 'retired' where state = 'retiring'");
    expect(await readDemand(database.journal, 5)).toMatchObject({ free: 1, demand: 4 });
    await database.asOwner('update wallet_sync.control set assign = $1', [way]);
    try {
      for (let i = 0; i < 2; i++) await signUp(database.auth);
      if (way === 'daemon') await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
      expect(await given()).toEqual([newVault.keyId]);
      expect(await readDemand(database.journal, 5)).toMatchObject({ free: 0, waiting: 1 });
    } finally {
      await database.asOwner("update wallet_sync.control set assign = 'daemon'");
    }
  });

  it('is there at no moment of a rotation: the pool is moved before its master key becomes the old one', async () => {
    await register(oldKey);
    for (let i = 0; i < 25; i++) await under(oldVault);
    const seen: number[] = [];
    await rotateKeys({
      journal: { ...database.journal, transaction: (work) => database.journal.transaction(work).finally(async () => void seen.push((await readDemand(database.journal, 25)).free)) },
      vault: audited(oldKey, newKey), next: newVault.keyId, by: 'test', signal: new AbortController().signal,
    });
    expect(seen.length).toBeGreaterThan(5);
    expect(new Set(seen)).toEqual(new Set([25]));
  });
});

describe('a new key', () => {
  const prepare = (id: string, makeKeys: (masterKey: string | undefined) => Promise<string>) =>
    prepareAccounts(database.journal, {
      instanceId: id, poolSize: 1, maxAccounts: 1, decide: () => 1, room: () => Promise.resolve(1), masterKey: oldVault.keyId,
      makeKeys: async (_, masterKey) => {
        const publicKey = await makeKeys(masterKey);
        return [{ publicKey, encryptedPrivateKey: createVault(oldKey, newKey).seal(hex(32), publicKey, masterKey) }];
      },
    });

  it('is sealed under the current master key of the moment at which it is stored: who makes another one current waits', async () => {
    await register(oldKey);
    const id = await database.instance();
    await registerNext(database.journal, newVault.keyId);
    let flip: Promise<unknown> | undefined;
    await prepare(id, async (masterKey) => {
      expect(masterKey).toBe(oldVault.keyId);
      flip = database.journal.transaction((db) => makeCurrent(db, newVault.keyId));
      await until(10_000, async () => (await database.asOwner("select from pg_stat_activity where wait_event_type = 'Lock'")).length > 0);
      return hex(64);
    });
    await flip;
    await prepare(id, (masterKey) => Promise.resolve((expect(masterKey).toBe(newVault.keyId), hex(64))));
    expect((await countKeys(database.journal)).map(({ id: key, accounts }) => [key, accounts]).sort()).toEqual([[oldVault.keyId, 1], [newVault.keyId, 1]].sort());
  });

  it('is not stored under a retired master key, nor taken over from a row that has one, nor put back', async () => {
    await register(oldKey);
    await rotate();
    const publicKey = hex(64);
    const sealed = oldVault.seal(hex(32), publicKey);
    await expect(database.journal.query('insert into wallet_sync.account (public_key, private_key) values ($1, $2)', [publicKey, sealed])).rejects.toThrow(/retired/);
    await database.journal.query('insert into wallet_sync.account (public_key, private_key) values ($1, $2)', [publicKey, newVault.seal(hex(32), publicKey)]);
    await expect(database.journal.query('update wallet_sync.account set private_key = $2 where public_key = $1', [publicKey, sealed])).rejects.toThrow(/retired/);
    await expect(database.journal.query("update wallet_sync.master_key set state = 'current' where state = 'retired'")).rejects.toThrow(/cannot go/);
    await expect(database.journal.query('delete from wallet_sync.master_key')).rejects.toThrow(/permission denied/);

    const { authId } = await signUp(database.auth);
    const other = hex(64);
    const stranger = { authId, address: `0x${hex(8)}`, publicKey: other, privateKey: oldVault.seal(hex(32), other) };
    await database.asOwner('update public.wallet set flow_address = $2, flow_private_key = $3, flow_public_key = $4 where auth_id = $1', [authId, stranger.address, stranger.privateKey, stranger.publicKey]);
    expect(await adoptWallets(database.journal, [stranger])).toEqual(new Map());
    // Who still holds the old master key moves what was written back.
    expect(await rotate()).toMatchObject({ wallets: 1, ended: true });
    const [row] = await database.asOwner<{ key: string }>('select flow_private_key as key from public.wallet where auth_id = $1', [authId]);
    expect((await adoptWallets(database.journal, [{ ...stranger, privateKey: row!.key }])).size).toBe(1);
  });
});

describe('a start', () => {
  it('registers the first master key, and of two that come at once one alone', async () => {
    const outcomes = await Promise.allSettled([oldKey, newKey].map(register));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { kind: 'usage', where: 'WALLET_ENCRYPTION_KEY' } });
    expect(Object.values(await states())).toEqual(['current']);
    expect(await sealingKey(database.journal, hex(4))).toBe(Object.keys(await states())[0]);
  });

  it('with a key that has the right id and is another one is refused, whether the id is registered or not', async () => {
    await seedKeys(database.postgres, oldVault, { assigned: 3, free: 3 });
    // Forged: what is stored names the other one.
    await database.asOwner("update wallet_sync.account set private_key = overlay(private_key placing $1 from 4 for 8)", [newVault.keyId]);
    await expect(requireMasterKeys(database.journal, audited(newKey))).rejects.toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY', message: expect.stringContaining('not the master key') as string });
    await registerMasterKey(database.journal, audited(newKey));
    await expect(requireMasterKeys(database.journal, audited(newKey))).rejects.toMatchObject({ kind: 'usage', message: expect.stringContaining('not the master key') as string });
  });

  it('goes on with another master key where the current one is lost and was retired by hand', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 8, free: 8 });
    await expect(register(newKey)).rejects.toMatchObject({ kind: 'usage' });
    // As docs/custody.md has it: the two steps that the guard lets pass.
    for (const [from, to] of [['current', 'retiring'], ['retiring', 'retired']]) await database.asOwner('update wallet_sync.master_key set state = $3 where id = $1 and state = $2', [oldVault.keyId, from, to]);
    await requireMasterKeys(database.journal, audited(newKey));
    await register(newKey);
    expect(await states()).toEqual({ [oldVault.keyId]: 'retired', [newVault.keyId]: 'current' });
    await requireMasterKeys(database.journal, audited(newKey));
  });

  it('with a retired master key alone is refused, also where none is current', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 2, free: 0 });
    for (const state of ['retiring', 'retired']) await database.asOwner('update wallet_sync.master_key set state = $1', [state]);
    await expect(requireMasterKeys(database.journal, audited(oldKey))).rejects.toMatchObject({ kind: 'usage', message: expect.stringContaining('retired') as string });
  });

  it('is not stopped by a few rows that do not open', async () => {
    await register(oldKey);
    await seedKeys(database.postgres, oldVault, { assigned: 3, free: 0 });
    await database.asOwner("update wallet_sync.account set private_key = 'v1:' || substr(private_key, 4, 9) || repeat('A', 80) || ':' || repeat('A', 80) where id in (select id from wallet_sync.account order by id limit 2)");
    await requireMasterKeys(database.journal, audited(oldKey));
    await database.asOwner("update wallet_sync.account set private_key = 'v1:lost' where id in (select id from wallet_sync.account order by id desc limit 1)");
    await expect(requireMasterKeys(database.journal, audited(oldKey))).rejects.toMatchObject({ kind: 'usage' });
  });
});

describe('a migration', () => {
  it('finds the master keys of what is stored: the newest account\'s is current, the others still open', async () => {
    await seedKeys(database.postgres, oldVault, { assigned: 2, free: 0 });
    await seedKeys(database.postgres, newVault, { assigned: 1, free: 1 });
    await database.asOwner("update wallet_sync.account set private_key = 'v1:00000000:x:y' where id = (select max(id) from wallet_sync.account)");
    await database.migrate();
    expect(await states()).toEqual({ [oldVault.keyId]: 'retiring', [newVault.keyId]: 'current' });
    // Goes on as a rotation that was broken off.
    expect(await rotate({ keys: [newKey, oldKey] })).toMatchObject({ from: [oldVault.keyId], to: newVault.keyId, ended: true });
  });

  it('finds them in public.wallet where no account is left', async () => {
    await seedKeys(database.postgres, oldVault, { assigned: 2, free: 0 });
    await database.asOwner('delete from wallet_sync.account');
    await database.migrate();
    expect(await states()).toEqual({ [oldVault.keyId]: 'current' });
  });
});
