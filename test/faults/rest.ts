import { expect } from 'vitest';
import { faultsOf } from '../../dev/audit.js';
import type { SignUp } from '../../dev/signUp.js';
import { publicKeyOf } from '../../src/flow/keys.js';
import { createVault } from '../../src/secrets.js';
import { until, type DaemonWorld } from '../support/daemonWorld.js';
import { expectExactLedger } from '../support/exactLedger.js';

/** Resolves when nothing is unsealed, nobody waits and no account is on its way. */
export const atRest = (world: DaemonWorld, withinMs = 90_000): Promise<void> =>
  until(withinMs, async () => {
    const { rows } = await world.stack.servicePool.query<{ busy: number }>(
      `select (select count(*) from wallet_sync.transaction where state = 'live') + (select count(*) from wallet_sync.waiting)
         + (select count(*) from wallet_sync.account where state = 'submitted') as busy`,
    );
    return Number(rows[0]?.busy) === 0;
  });

/**
 * What must hold whatever has died: each of these users has one account, on chain under the stored key, which opens; each was funded
 * once; the account equation holds; `ledger verify` is exact. Counted from the chain's events. A running daemon brings it to rest first.
 * `outsiders`: transactions by which somebody else took FLOW from a funder, in all.
 */
export async function expectExactlyOneWalletEach(world: DaemonWorld, signUps: readonly SignUp[], outsiders = 0): Promise<void> {
  await world.ready(signUps, 120_000);
  await atRest(world);
  expect(faultsOf(await world.audit())).toEqual({});
  const { rows } = await world.stack.servicePool.query<{ auth_id: string; flow_address: string; flow_private_key: string; flow_public_key: string }>(
    'select auth_id, flow_address, flow_private_key, flow_public_key from public.wallet where auth_id = any($1)',
    [signUps.map((signUp) => signUp.authId)],
  );
  expect(rows.length).toBe(signUps.length);
  expect(new Set(rows.map((row) => row.flow_address)).size).toBe(signUps.length);
  const vault = createVault(Buffer.from(world.stack.env()['WALLET_ENCRYPTION_KEY'] ?? '', 'base64'));
  for (const row of rows) expect(publicKeyOf(vault.open(row.flow_private_key, row.flow_public_key))).toBe(row.flow_public_key);
  await expectExactLedger(world.stack, outsiders);
}
