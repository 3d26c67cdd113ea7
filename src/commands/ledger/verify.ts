import { readEnvironment } from '../../environment.js';
import { AppError } from '../../errors.js';
import { loadCadence } from '../../flow/cadence.js';
import type { LedgerFinding } from '../../handlers/compareLedger.js';
import { verifyLedger, type Verification, type VerifiedFunder } from '../../handlers/verifyLedger.js';
import { checkSchema } from '../../journal/migrate.js';
import { createLog } from '../../log.js';
import { pickSettings } from '../../settings.js';
import { onStopSignals } from '../../shutdown.js';
import { CHAIN_SETTINGS, openChain } from '../connectChain.js';
import { signed } from './list.js';
import { print } from '../output.js';
import { startProgress } from '../progress.js';
import { readSince } from '../since.js';
import { withJournal } from '../withJournal.js';

/** Findings that the JSON line lists at most; their numbers are of all. */
const LISTED = 1_000;
/** A comparison reads 16 ranges at once. */
const CALL_TIMEOUT_MS = 15_000;

/** `wallet-sync ledger verify`: compares the ledger with the chain's events and the funders' balances. Exit status 1 where they don't agree. */
export async function runLedgerVerify(options: { since?: string; user?: string; funder?: string; json: boolean }): Promise<void> {
  if (options.user !== undefined || options.funder !== undefined) throw new AppError('usage', 'verify compares everything: it takes neither --user nor --funder', { where: 'ledger verify' });
  const since = options.since === undefined ? null : readSince(options.since, Date.now());
  const environment = readEnvironment();
  const settings = pickSettings(environment, ['DATABASE_URL', ...CHAIN_SETTINGS]);
  const { network, node, requireNetwork } = await openChain(settings, environment, { timeoutMs: CALL_TIMEOUT_MS });
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  const progress = startProgress({ unit: 'blocks' });
  const found: LedgerFinding[] = [];
  try {
    const verified = await withJournal(
      async (journal) => {
        await checkSchema(journal);
        await requireNetwork();
        return verifyLedger(
          { journal, node, network, cadence: loadCadence(network), log: createLog({ level: 'silent' }) },
          {
            since,
            signal: stop.signal,
            onProgress: progress.show,
            onFinding(finding) {
              if (!options.json) progress.write(`${findingToText(finding)}\n`);
              else if (found.length < LISTED) found.push(finding);
            },
          },
        );
      },
      { maxConnections: 4 },
    ).catch((thrown: unknown) => {
      throw stop.signal.aborted ? new AppError('network', 'stopped: half a comparison proves nothing', { where: 'ledger', mend: 'start it again' }) : thrown;
    });
    progress.stop();
    print(options.json, toJson(verified, found), toText(verified));
    if (!verified.isExact) process.exitCode = 1;
  } finally {
    progress.stop();
    node.close();
  }
}

const list = (amounts: readonly bigint[]): string => (amounts.length === 0 ? 'nothing' : amounts.map(signed).join(' + '));

/** A finding as a line. */
export function findingToText(finding: LedgerFinding): string {
  switch (finding.kind) {
    case 'differs':
      return `✗ ${finding.txId} took ${list(finding.chain)} FLOW from ${finding.funder}; the ledger has ${list(finding.ledger)}`;
    case 'unknown':
      return `✗ ${finding.txId} took ${list(finding.chain)} FLOW from ${finding.funder}; the ledger does not know all of it: the access node does not tell its result`;
    case 'unrecorded':
      return `✗ ${finding.txId} took ${list(finding.chain)} FLOW from ${finding.funder} after it was given up\n  mend: let an instance run; it records it within 10 s, an older one in its next sweep`;
    case 'not-ours':
      return `✗ ${finding.txId} took ${list(finding.chain)} FLOW from ${finding.funder} and is none of this service\n  mend: find out who uses the funder's key elsewhere`;
    case 'pending':
      return `! ${finding.txId} took ${list(finding.chain)} FLOW from ${finding.funder} and is not settled yet: left out`;
    case 'balance':
      return `✗ ${finding.funder} has ${signed(finding.difference < 0n ? -finding.difference : finding.difference)} FLOW ${finding.difference < 0n ? 'less' : 'more'} than follows from the ledger and the chain's events`;
  }
}

const json = (value: unknown): unknown => (typeof value === 'bigint' ? signed(value) : Array.isArray(value) ? value.map(json) : value);

function toJson(verified: Verification, found: readonly LedgerFinding[]): unknown {
  const { from, to, transactions, differences, notOurs, pending, isExact } = verified;
  return {
    exact: isExact,
    from_height: from,
    to_height: to,
    transactions,
    differences,
    not_ours: notOurs,
    pending,
    funders: verified.funders.map((funder) => ({
      address: funder.address,
      opening: json(funder.opening),
      received: json(funder.received),
      ledger: json(funder.ledger),
      not_ours: json(funder.notOurs),
      pending: json(funder.pending),
      closing: json(funder.closing),
      difference: json(funder.difference),
    })),
    findings: found.map((finding) => ({
      kind: finding.kind,
      ...('txId' in finding ? { transaction: finding.txId } : {}),
      funder: finding.funder,
      ...('ledger' in finding ? { ledger: json(finding.ledger) } : {}),
      ...('chain' in finding ? { chain: json(finding.chain) } : {}),
      ...('difference' in finding ? { difference: json(finding.difference) } : {}),
    })),
  };
}

function toText(verified: Verification): string {
  if (verified.to < verified.from) return 'Nothing to compare: no block since the ledger was last found right.';
  const { from, to, transactions, differences, notOurs, pending } = verified;
  const waiting = pending === 0 ? '' : `, ${pending} not settled yet and left out`;
  const verdict = verified.isExact ? '✓ The ledger is exact' : `✗ ${differences} differences, ${notOurs} withdrawals that are not ours`;
  return [...verified.funders.flatMap(funderToText), `${verdict}: ${transactions} transactions in blocks ${from} to ${to}${waiting}.`].join('\n');
}

function funderToText(funder: VerifiedFunder): string[] {
  const parts = [`received ${signed(funder.received)}`, `ledger ${signed(funder.ledger)}`, ...(funder.notOurs === 0n ? [] : [`not ours ${signed(funder.notOurs)}`]), ...(funder.pending === 0n ? [] : [`not settled ${signed(funder.pending)}`])];
  const opening = funder.opening === null ? 'opening balance not known: the access node keeps no state of that block' : `opening ${signed(funder.opening)}`;
  return [`${funder.address}  ${opening}, ${parts.join(', ')}, now ${signed(funder.closing)}${funder.difference === null ? '' : funder.difference === 0n ? '  ✓' : `  ✗ ${signed(funder.difference)}`}`];
}
