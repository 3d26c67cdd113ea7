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
import { adoptWallets } from '../../../src/journal/sweepPages.js';
import { createVault, keyIdOf, type Vault } from '../../../src/secrets.js';
import { differingCopies, seedKeys, storedKeys } from '../../support/custody.js';
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

    const progress: number[] = [];
    const rotated = await rotateKeys({ journal: database.journal, vault: audited(oldKey, newKey), next: newVault.keyId, by: 'test', signal: new AbortController().signal, onProgress: (done, of) => progress.push(done / of) });
    expect(rotated).toEqual({ from: [oldVault.keyId], to: newVault.keyId, accounts: 479, wallets: 451, ended: true, unopened: [] });
    const stored = await storedKeys(database.postgres);
    expect(stored).toHaveLength(479 + 451);
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
    expect(await countKeys(database.journal)).toEqual([{ id: createVault(third).keyId, accounts: 479, wallets: 451 }]);
  });
});
