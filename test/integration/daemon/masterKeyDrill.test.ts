import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sendAndSeal } from '../../../dev/chain.js';
import { connectAccessNode } from '../../../src/flow/accessNode.js';
import { buildTransaction } from '../../../src/flow/buildTransaction.js';
import { resolveImports } from '../../../src/flow/cadence.js';
import { createLimiter } from '../../../src/flow/limiter.js';
import { loadNetwork } from '../../../src/flow/network.js';
import { createSigner } from '../../../src/flow/sign.js';
import { createLog } from '../../../src/log.js';
import { runCommand } from '../../support/command.js';
import { startDatabase, type Database } from '../../support/database.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { copyTables } from '../../support/restoreTables.js';
import { everybody, type Wallet } from '../../support/sweeps.js';
import { SPEND_FLOW } from '../../support/walletOwner.js';

const USERS = 5;

let world: DaemonWorld;
let wallets: Wallet[];
/** The database on the new machine. */
let restored: Database;
beforeAll(async () => {
  [world, restored] = await Promise.all([startDaemonWorld({ funders: 1 }), startDatabase()]);
  wallets = await everybody(world, USERS);
});
afterAll(async () => {
  await restored?.stop();
  await world?.stop();
});

/** Signs with nothing but this key: proposes, pays and authorises. */
async function signWith(privateKey: string, address: string): Promise<string> {
  const node = connectAccessNode({ url: world.stack.emulator.restUrl, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const signer = createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
    const key = (await node.account(address))?.keys.find((each) => each.publicKey === signer.publicKey);
    if (key === undefined) throw new Error(`${address} has another key`);
    const owner = { address, keyIndex: key.index, signer };
    const network = await loadNetwork({ flowJsonPath: world.stack.env()['FLOW_JSON']!, network: 'emulator', env: {} });
    const { cadence, args } = SPEND_FLOW(5_000_000n);
    const transaction = await buildTransaction({ cadence: resolveImports(cadence, network.contracts, 'emulator'), args, reference: await node.latestSealedBlock(), proposer: { ...owner, sequenceNumber: key.sequenceNumber }, payer: owner, authorizers: [owner] });
    await sendAndSeal(node, transaction);
    return transaction.id;
  } finally {
    node.close();
  }
}

it('drill: a database backup and the copy of the master key are enough on a new machine: keys verify passes, and an exported key signs', async () => {
  const { folder } = world.stack;
  // The backup: all tables, and the master key written down elsewhere. No other setting and no file of the old machine is used.
  const copyOfKey = join(folder, 'master-key.copy');
  writeFileSync(copyOfKey, world.stack.env()['WALLET_ENCRYPTION_KEY']!, { mode: 0o600 });
  await copyTables(world.stack.postgres, restored.postgres);
  const { NETWORK, FLOW_ACCESS_NODE, FLOW_JSON } = world.stack.env() as Record<'NETWORK' | 'FLOW_ACCESS_NODE' | 'FLOW_JSON', string>;
  const env = { DATABASE_URL: restored.serviceUrl, WALLET_ENCRYPTION_KEY: readFileSync(copyOfKey, 'utf8'), NETWORK, FLOW_ACCESS_NODE, FLOW_JSON };

  const verified = await runCommand(['keys', 'verify', '--json'], env);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ whole: true, keys: USERS, opened: USERS, copies: USERS, on_chain: USERS });

  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const receiver = join(folder, 'receiver.pem');
  writeFileSync(receiver, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const envelope = join(folder, 'envelope.json');
  const exported = await runCommand(['keys', 'export', wallets[0]!.authId, '--yes', '--to', publicKey.export({ format: 'der', type: 'spki' }).toString('base64')], env);
  expect(exported.code, exported.stderr).toBe(0);
  writeFileSync(envelope, exported.stdout);
  const opened = await runCommand(['keys', 'open', envelope, '--key', receiver], {});
  expect(await signWith(opened.stdout.trim(), wallets[0]!.address)).toMatch(/^[0-9a-f]{64}$/);
});

it('drill: with another master key the restored database fails clearly, and nothing in it is changed', async () => {
  const rows = (): Promise<unknown[]> => restored.postgres.query('supabase_admin', "select a.xmin::text as written_by, a.*, w.xmin::text as copied_by, w.flow_private_key from wallet_sync.account a join public.wallet w using (auth_id) order by a.id");
  const before = await rows();
  const ended = await runCommand(['keys', 'verify', '--no-chain'], { DATABASE_URL: restored.serviceUrl, WALLET_ENCRYPTION_KEY: randomBytes(32).toString('hex') });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('stored keys are encrypted under master key');
  expect(before).toHaveLength(USERS);
  expect(await rows()).toEqual(before);
});

it('a start during which a rotation registers the next master key stops with 2 and says what to set: the rotation did not know of it', async () => {
  const holder = new pg.Client({ connectionString: world.stack.postgres.url('postgres') });
  await holder.connect();
  try {
    // Held where it first says that it lives: its master keys were found right before.
    await holder.query('begin; lock table wallet_sync.instance in share row exclusive mode');
    const daemon = world.daemon();
    await until(60_000, async () => (await world.stack.postgres.query('postgres', "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%wallet_sync.instance as i%'")).length > 0);
    await world.stack.postgres.query('postgres', "insert into wallet_sync.master_key (id, state) values ('00000001', 'next')");
    await holder.query('commit');
    expect(await daemon.ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/a rotation is under way.*00000001/s) as string });
    // Nobody waits for its lease to end.
    expect(await world.stack.postgres.query('postgres', 'select from wallet_sync.instance where stopped_at is null')).toEqual([]);
  } finally {
    await holder.end();
    await world.stack.postgres.query('postgres', "delete from wallet_sync.master_key where id = '00000001'");
  }
});
