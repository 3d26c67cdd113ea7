import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Daemon } from '../../dev/daemon.js';
import { createVault, type Vault } from '../../src/secrets.js';
import { runCommand, startCommand } from '../support/command.js';
import { differingCopies, seedKeys, storedKeys, type PrivateKeys } from '../support/custody.js';
import { startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { publicKeyOf } from '../../src/flow/keys.js';
import { startSignUps } from './signUps.js';

/** Keys that are there before; sign-ups make more. */
const KEYS = 10_000;
const SET_ASIDE = 300;
const SETTINGS = { POOL_SIZE: '10', REALTIME: 'off' };

let world: DaemonWorld;
let oldVault: Vault;
let newVault: Vault;
let seeded: PrivateKeys;
const oldKey = (): string => world.stack.env()['WALLET_ENCRYPTION_KEY']!;
const newKey = randomBytes(32).toString('base64');

const owner = <Row extends Record<string, unknown>>(sql: string, values: unknown[] = []) => world.stack.postgres.query<Row>('postgres', sql, values);
const moved = async (): Promise<number> => {
  const [row] = await owner<{ count: number }>("select count(*)::integer as count from wallet_sync.account where private_key like 'v1:' || $1 || ':%'", [newVault.keyId]);
  return row?.count ?? 0;
};

beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
  oldVault = createVault(Buffer.from(oldKey(), 'base64'));
  newVault = createVault(Buffer.from(newKey, 'base64'));
  seeded = await seedKeys(world.stack.postgres, oldVault, { assigned: KEYS - SET_ASIDE, free: SET_ASIDE });
  // Nobody is to be given one: the chain does not know them.
  await owner("update wallet_sync.account set state = 'set_aside' where state = 'free'");
});
afterAll(() => world?.stop());

it('rotation of 10,000 keys with sign-ups going on and kill -9 in the middle, restarted: every key opens, none is lost, none remains under the old master key', async () => {
  const both = { ...SETTINGS, WALLET_ENCRYPTION_KEY_NEXT: newKey };
  const daemons: Daemon[] = [world.daemon(SETTINGS), world.daemon(SETTINGS)];
  const signUps = startSignUps(world.stack.authPool, 500);
  await until(120_000, () => Promise.resolve(signUps.done.length >= 2));
  await world.ready(signUps.done.slice(0, 2), 120_000);
  await until(120_000, async () => (await owner('select 1 from wallet_sync.instance where master_keys is not null')).length === 2);

  const rotation = { ...world.stack.env(), WALLET_ENCRYPTION_KEY_NEXT: newKey };
  // An instance that does not hold the next master key: refused, nothing is moved.
  const refused = await runCommand(['keys', 'rotate'], rotation);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/2 instances do not hold master key/)]);
  expect(await moved()).toBe(0);

  for (const [i, daemon] of daemons.entries()) {
    await daemon.stop();
    daemons[i] = world.daemon(both);
    const { pid } = daemons[i];
    await until(120_000, async () => (await owner('select 1 from wallet_sync.instance where pid = $1 and $2 = any (master_keys)', [pid, newVault.keyId])).length > 0);
  }

  // Killed: while the pool is moved, before the new master key is the current one; and twice while the rest is.
  for (const after of [20, SET_ASIDE + 1_000, SET_ASIDE + 5_000]) {
    const command = startCommand(['keys', 'rotate'], rotation);
    await until(120_000, async () => (await moved()) >= after);
    command.kill('SIGKILL');
    expect((await command.ended).code).toBeNull();
    expect(await moved()).toBeLessThan(KEYS);
    // Sign-ups do not wait for who runs it again.
    const { length } = signUps.done;
    await until(60_000, () => Promise.resolve(signUps.done.length > length));
    await world.ready(signUps.done.slice(0, length + 1));
  }
  const status = JSON.parse((await runCommand(['--json', 'keys', 'rotate', '--status'], rotation)).stdout) as { rotating: boolean; master_keys: { id: string; state: string }[] };
  expect(status).toMatchObject({ rotating: true });
  expect(status.master_keys.map(({ id, state }) => [id, state])).toEqual([[oldVault.keyId, 'retiring'], [newVault.keyId, 'current']]);

  // Two of them share the rest.
  const ends = await Promise.all([1, 2].map(() => runCommand(['--json', 'keys', 'rotate'], rotation)));
  expect(ends.map(({ code, stdout }) => [code, (JSON.parse(stdout) as { ended: boolean }).ended])).toEqual([[0, true], [0, true]]);

  // The last step: the new one alone; the old one alone is refused.
  for (const [i, daemon] of daemons.entries()) {
    await daemon.stop();
    daemons[i] = world.daemon({ ...SETTINGS, WALLET_ENCRYPTION_KEY: newKey });
  }
  const users = await signUps.stop();
  await world.ready(users);
  expect(await world.daemon(SETTINGS).ended).toMatchObject({ code: 2, stderr: expect.stringContaining('retired by a rotation') as string });

  const stored = await storedKeys(world.stack.postgres);
  const keys = new Set<string>();
  for (const { what, publicKey, sealed } of stored) {
    const privateKey = newVault.open(sealed, publicKey);
    if (what === 'account') keys.add(publicKey);
    if (seeded.has(publicKey)) expect(privateKey).toBe(seeded.get(publicKey));
    else expect(publicKeyOf(privateKey)).toBe(publicKey);
  }
  expect([...seeded.keys()].filter((publicKey) => !keys.has(publicKey))).toEqual([]);
  expect(keys.size).toBeGreaterThanOrEqual(KEYS + users.length);
  expect(stored.filter(({ what }) => what === 'wallet')).toHaveLength(KEYS - SET_ASIDE + users.length);
  expect(await differingCopies(world.stack.postgres)).toBe(0);
  expect(await owner("select auth_id, reason from wallet_sync.user_state where state = 'corrupted'")).toEqual([]);
  await Promise.all(daemons.map((daemon) => daemon.stop()));
}, 900_000);
