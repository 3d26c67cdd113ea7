import { expect } from 'vitest';
import { faultsOf } from '../../dev/audit.js';
import type { SignUp } from '../../dev/signUp.js';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { publicKeyOf } from '../../src/flow/keys.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork } from '../../src/flow/network.js';
import type { LedgerFinding } from '../../src/handlers/compareLedger.js';
import { verifyLedger, type Verification } from '../../src/handlers/verifyLedger.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';
import { createVault } from '../../src/secrets.js';
import { until, type DaemonWorld } from '../support/daemonWorld.js';

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
  await expectExactLedger(world, outsiders);
}

/** The ledger has exactly what left the funders on chain, transaction by transaction, and their balances follow from it to 10^-8 FLOW. */
export async function expectExactLedger(world: DaemonWorld, outsiders = 0): Promise<void> {
  // What somebody else took is told once, and passed; so all is looked at each time.
  const { verified, findings } = await verifyAll(world);
  expect(findings.filter((finding) => finding.kind !== 'not-ours')).toEqual([]);
  expect(verified).toMatchObject({ differences: 0, pending: 0, notOurs: outsiders });
  expect(verified.funders.map((funder) => funder.difference)).toEqual(verified.funders.map(() => 0n));
  const { rows } = await world.stack.servicePool.query<{ spent: string }>('select coalesce(sum(amount + fee), 0)::text as spent from wallet_sync.ledger');
  expect(verified.funders.reduce((sum, funder) => sum + funder.ledger, 0n)).toBe(BigInt(rows[0]?.spent ?? '-1'));
}

/** `ledger verify` over all blocks, in this process and past the proxies. */
export async function verifyAll(world: DaemonWorld): Promise<{ verified: Verification; findings: LedgerFinding[] }> {
  const env = world.stack.env();
  const log = createLog({ level: 'silent' });
  const network = loadNetwork({ flowJsonPath: env['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
  const node = connectAccessNode({ url: world.stack.emulator.restUrl, log, limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  const journal = openJournal({ connectionString: env['DATABASE_URL'] ?? '', log, maxConnections: 2 });
  const findings: LedgerFinding[] = [];
  try {
    const verified = await verifyLedger({ journal, node, network, cadence: loadCadence(network), log }, { since: new Date(0), signal: new AbortController().signal, onProgress: () => undefined, onFinding: (finding) => void findings.push(finding) });
    return { verified, findings };
  } finally {
    node.close();
    await journal.close();
  }
}
