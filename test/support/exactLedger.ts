import { expect } from 'vitest';
import type { Stack } from '../../dev/stack.js';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork } from '../../src/flow/network.js';
import type { LedgerFinding } from '../../src/handlers/compareLedger.js';
import { verifyLedger, type Verification } from '../../src/handlers/verifyLedger.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';

/**
 * The ledger has exactly what left the funders on chain, transaction by transaction, and their balances follow from it to 10^-8 FLOW.
 * `outsiders`: transactions by which somebody else took FLOW from a funder, in all.
 */
export async function expectExactLedger(stack: Stack, outsiders = 0): Promise<void> {
  const { verified, findings } = await verifyWholeLedger(stack);
  expect(findings.filter((finding) => finding.kind !== 'not-ours')).toEqual([]);
  expect(verified).toMatchObject({ differences: 0, pending: 0, notOurs: outsiders, isExact: outsiders === 0 });
  expect(verified.funders.map((funder) => funder.difference)).toEqual(verified.funders.map(() => 0n));
  const { rows } = await stack.servicePool.query<{ spent: string }>('select coalesce(sum(amount + fee), 0)::text as spent from wallet_sync.ledger');
  expect(verified.funders.reduce((sum, funder) => sum + funder.ledger, 0n)).toBe(BigInt(rows[0]?.spent ?? '-1'));
}

/** `ledger verify` over all blocks, in this process and past the proxies. */
export async function verifyWholeLedger(stack: Stack): Promise<{ verified: Verification; findings: LedgerFinding[] }> {
  const env = stack.env();
  const log = createLog({ level: 'silent' });
  const network = await loadNetwork({ flowJsonPath: env['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
  const node = connectAccessNode({ url: stack.emulator.restUrl, log, limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  const journal = openJournal({ connectionString: env['DATABASE_URL'] ?? '', log, maxConnections: 2 });
  const findings: LedgerFinding[] = [];
  try {
    const verified = await verifyLedger(
      { journal, node, network, cadence: loadCadence(network), log },
      // Not from where it was last found right: what somebody else took is told once by that.
      { since: new Date(0), signal: new AbortController().signal, onProgress: () => undefined, onFinding: (finding) => void findings.push(finding) },
    );
    return { verified, findings };
  } finally {
    node.close();
    await journal.close();
  }
}
