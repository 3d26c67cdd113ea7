import { afterAll, beforeAll, expect, it } from 'vitest';
import { sendAndSeal } from '../../../dev/chain.js';
import { connectAccessNode } from '../../../src/flow/accessNode.js';
import { buildTransaction } from '../../../src/flow/buildTransaction.js';
import { createLimiter } from '../../../src/flow/limiter.js';
import { createSigner } from '../../../src/flow/sign.js';
import { createLog } from '../../../src/log.js';
import { createVault } from '../../../src/secrets.js';
import { startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';

const REVOKE = 'transaction { prepare(me: auth(RevokeKey) &Account) { me.keys.revoke(keyIndex: 0) } }';
const DROP_VAULT = 'transaction { prepare(me: auth(LoadValue) &Account) { destroy me.storage.load<@AnyResource>(from: /storage/baitCoinVault) } }';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

/** Acts as a free account's owner, which nobody should be yet. */
async function actAs(account: { address: string; private_key: string; public_key: string }, cadence: string): Promise<void> {
  const log = createLog({ level: 'silent' });
  const node = connectAccessNode({ url: world.stack.emulator.restUrl, log, limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  const privateKey = createVault(Buffer.from(world.stack.env()['WALLET_ENCRYPTION_KEY'] ?? '', 'base64')).open(account.private_key, account.public_key);
  const key = { address: account.address, keyIndex: 0, signer: createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
  await sendAndSeal(node, await buildTransaction({ cadence, args: [], reference: await node.latestSealedBlock(), proposer: { ...key, sequenceNumber: 0 }, payer: key, authorizers: [key] }));
  node.close();
}

it('a free account that a sweep finds broken, its key revoked or its vault gone, is set aside and never given', async () => {
  const daemon = world.daemon({ POOL_SIZE: '5' });
  await daemon.logged((line) => line.msg === 'accounts made');
  const free = await world.stack.postgres.query<{ address: string; private_key: string; public_key: string }>('postgres', "select address, private_key, public_key from wallet_sync.account where state = 'free' order by id limit 2");
  await actAs(free[0]!, REVOKE);
  await actAs(free[1]!, DROP_VAULT);
  await world.stack.servicePool.query('select wallet_sync.resync()');
  await daemon.logged((line) => line.msg === 'sweep done' && line['setAside'] === 2);
  await world.ready(await world.signUps(10));
  const { rows } = await world.stack.servicePool.query('select address, error, auth_id from wallet_sync.account where state = $1 order by id', ['set_aside']);
  expect(rows).toEqual([
    { address: free[0]!.address, error: expect.stringContaining('revoked'), auth_id: null },
    { address: free[1]!.address, error: expect.stringContaining('vault is gone'), auth_id: null },
  ]);
  await daemon.stop();
});
