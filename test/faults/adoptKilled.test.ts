import { afterAll, beforeAll, expect, it } from 'vitest';
import { addressOf } from '../../dev/simulatedChain/addresses.js';
import { generateKeyPair, type KeyPair } from '../../src/flow/keys.js';
import { createVault } from '../../src/secrets.js';
import { runCommand, startCommand } from '../support/command.js';
import { startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { oldBlob } from '../support/oldService.js';

const USERS = 120;
/** Of these every tenth is a blob: each takes some 50 ms, in which a kill can fall. */
const BLOB_EVERY = 10;
/** Rows done by when it is killed; then it runs to its end. */
const KILLED_AT = [1, 40, 90];
const PASSPHRASE = 'the older service';

let world: DaemonWorld;
beforeAll(async () => void (world = await startDaemonWorld()));
afterAll(() => world?.stop());

const sql = <R extends Record<string, unknown>>(text: string, params: readonly unknown[] = []) => world.stack.postgres.query<R>('postgres', text, params);

it('adopt, killed with kill -9 three times, loses no key of 120: each is encrypted once, opens, and has its history once', async () => {
  const users = await world.signUps(USERS);
  const pairs = new Map<string, KeyPair>(users.map(({ authId }) => [authId, generateKeyPair()]));
  let i = 0;
  for (const [authId, pair] of pairs) {
    const key = (i += 1) % BLOB_EVERY === 0 ? oldBlob(pair.privateKey, PASSPHRASE) : pair.privateKey;
    await sql('update public.wallet set flow_address = $2, flow_private_key = $3 where auth_id = $1', [authId, addressOf(3_000 + i), key]);
  }
  // Past the proxy with the public limits: each start asks the chain about all again.
  const env: Record<string, string> = { ...world.stack.env(), FLOW_ACCESS_NODE: world.stack.emulator.restUrl, ADOPT_ENCRYPTION_KEY: PASSPHRASE, PAGE_SIZE: '4', SCRIPT_RPS: '1000' };
  const done = async (): Promise<number> => (await sql<{ done: number }>('select count(*)::integer as done from wallet_sync.adopted'))[0]!.done;
  const stoppedAt: number[] = [];
  for (const at of KILLED_AT) {
    const command = startCommand(['adopt', '--json'], env);
    await until(120_000, async () => (await done()) >= at);
    command.kill('SIGKILL');
    expect((await command.ended).code).toBeNull();
    stoppedAt.push(await done());
  }
  expect(Math.max(...stoppedAt), `done when killed: ${stoppedAt.join(', ')}`).toBeLessThan(USERS);
  const last = await runCommand(['adopt', '--json'], env);
  expect({ code: last.code, stderr: last.code === 0 ? '' : last.stderr }).toEqual({ code: 0, stderr: '' });

  const vault = createVault(Buffer.from(env['WALLET_ENCRYPTION_KEY'] ?? '', 'base64'));
  const rows = await sql<{ auth_id: string; flow_private_key: string; flow_public_key: string }>('select * from public.wallet');
  expect(rows.filter((row) => vault.open(row.flow_private_key, row.flow_public_key) === pairs.get(row.auth_id)?.privateKey).length).toBe(USERS);
  const history = await sql<{ auth_id: string; sealed_key: string; public_key: string }>('select * from wallet_sync.adopted');
  expect(history.length).toBe(USERS);
  expect(history.filter((each) => vault.open(each.sealed_key, each.public_key) === pairs.get(each.auth_id)?.privateKey).length).toBe(USERS);
  expect((await sql("select from wallet_sync.audit where kind = 'wallet-adopted'")).length).toBe(USERS);
});
