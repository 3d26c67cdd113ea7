import type { Apart, ApartFrom } from '../../journal/apart.js';
import type { Corruption, Stranger, WalletRow } from '../../journal/sweepPages.js';
import type { Check } from './checkBatch.js';
import { judge } from './judge.js';
import type { Counter } from './tally.js';

/** A wallet with something missing that a transaction can mend. */
export interface Finding {
  readonly authId: string;
  /** Null: its row was there before this service, and is taken into the journal first. */
  readonly accountId: number | null;
  readonly address: string;
  readonly publicKey: string;
  readonly encryptedPrivateKey: string;
  readonly needsFlow: boolean;
  /** Its last funding failed standing alone: it is tried alone again. */
  readonly fundedAlone: boolean;
  readonly needsRepair: boolean;
  readonly lacksVault: boolean;
  /** The block of the balance. */
  readonly height: number;
}

/** A wallet that failed standing alone. */
export interface SetApart {
  readonly work: ApartFrom;
  readonly authId: string;
  readonly address: string;
  readonly reason: string;
}

/** What follows from the checks of one page. */
export interface Digest {
  readonly corrupted: Corruption[];
  /** Marked corrupted before, and sound now. */
  readonly sound: string[];
  /** Sound on chain, and not in the journal yet. */
  readonly strangers: Stranger[];
  readonly findings: Finding[];
  /** What they need and a transaction cannot give: their FLOW receiver leads elsewhere. */
  readonly unreachable: { readonly authId: string; readonly address: string }[];
  readonly apart: SetApart[];
  /** Set apart before, and like all others now. */
  readonly noLongerApart: { readonly work: ApartFrom; readonly address: string }[];
}

/** A wallet whose row adds up, and how the chain answered for it. */
export interface Answered {
  readonly row: WalletRow;
  readonly address: string;
  readonly publicKey: string;
  readonly check: Check;
}

/** Turns the answers of one page into what is to be written and mended, and counts it. `threshold` in 10^-8 FLOW. */
export function digest(answers: readonly Answered[], apart: Readonly<Record<ApartFrom, ReadonlyMap<string, Apart>>>, threshold: bigint, counter: Pick<Counter, 'count' | 'error'>): Digest {
  const found: Digest = { corrupted: [], sound: [], strangers: [], findings: [], unreachable: [], apart: [], noLongerApart: [] };
  for (const answer of answers) takeOne(answer, found);
  return found;

  function takeOne({ row, address, publicKey, check }: Answered, into: Digest): void {
    if (check.kind === 'alone') {
      counter.count('set_apart');
      counter.error(check.error.kind);
      into.apart.push({ work: 'check', authId: row.authId, address, reason: check.error.message });
      return;
    }
    if (apart.check.has(address)) into.noLongerApart.push({ work: 'check', address });
    const verdict = judge(row, check.height, check.wallet, threshold);
    if (verdict.kind === 'unknown') {
      counter.count('unknown');
      counter.error('network');
      return;
    }
    if (verdict.kind === 'corrupted') {
      into.corrupted.push({ authId: row.authId, reason: verdict.reason, solution: verdict.solution });
      return;
    }
    counter.count('flow_balance_checks');
    if (row.state === 'corrupted') into.sound.push(row.authId);
    if (row.accountId === null) into.strangers.push({ authId: row.authId, address, publicKey, privateKey: row.privateKey ?? '' });
    if (!verdict.lacksVault) counter.count('vaults_already_exist');
    if (!verdict.needsRepair) counter.count('synced_wallets');
    const unfunded = apart.fund.get(address);
    if (!verdict.needsFlow && unfunded !== undefined) into.noLongerApart.push({ work: 'fund', address });
    const before = apart.repair.get(address);
    if (!verdict.needsRepair && before !== undefined) into.noLongerApart.push({ work: 'repair', address });
    const waits = verdict.needsRepair && before?.isDue === false;
    const waitsForFlow = verdict.needsFlow && unfunded?.isDue === false;
    if (waits || waitsForFlow) {
      counter.count('set_apart');
      counter.error('chain-state');
    }
    if (verdict.needsFlow && verdict.refusesFlow) {
      counter.count('flow_funding_needed');
      counter.count('flow_funding_errors');
      counter.error('chain-state');
      into.unreachable.push({ authId: row.authId, address });
    }
    const needsFlow = verdict.needsFlow && !verdict.refusesFlow && !waitsForFlow;
    const needsRepair = verdict.needsRepair && !waits;
    if (!needsFlow && !needsRepair) return;
    into.findings.push({
      authId: row.authId,
      accountId: row.accountId,
      address,
      publicKey,
      encryptedPrivateKey: row.privateKey ?? '',
      needsFlow,
      fundedAlone: unfunded !== undefined,
      needsRepair,
      lacksVault: verdict.lacksVault,
      height: check.height,
    });
  }
}
