import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/errors.js';
import type { CheckedWallet } from '../../../src/flow/checkWallets.js';
import { digest, type Answered } from '../../../src/handlers/sweep/digest.js';
import { createCounter } from '../../../src/handlers/sweep/tally.js';
import type { Apart, ApartFrom } from '../../../src/journal/apart.js';
import type { WalletRow } from '../../../src/journal/sweepPages.js';
import { ADDRESS, checkedOf, pair, rowOf } from './rows.js';

const THRESHOLD = 7_500_000n;
type SetApart = Record<ApartFrom, Map<string, Apart>>;
const nobody = (): SetApart => ({ check: new Map(), fund: new Map(), repair: new Map() });

function digestOne(chain: Partial<CheckedWallet> | AppError, row: Partial<WalletRow> = {}, apart = nobody(), height = 200) {
  const counter = createCounter();
  const check: Answered['check'] = chain instanceof AppError ? { kind: 'alone', error: chain } : { kind: 'checked', height, wallet: checkedOf(chain) };
  const found = digest([{ row: rowOf(row), address: ADDRESS, publicKey: pair.publicKey, check }], apart, THRESHOLD, counter);
  const { counts, errors } = counter.take();
  return { found, counts, errors };
}

const nothing = { corrupted: [], sound: [], strangers: [], findings: [], unreachable: [], apart: [], noLongerApart: [] };

describe('a checked wallet', () => {
  it('that is whole is counted, and nothing follows', () => {
    expect(digestOne({})).toEqual({ found: nothing, counts: { flow_balance_checks: 1, vaults_already_exist: 1, synced_wallets: 1 }, errors: {} });
  });

  it('has too little FLOW below the threshold, not at it', () => {
    expect(digestOne({ flowBalance: THRESHOLD }).found.findings).toEqual([]);
    const { found, counts } = digestOne({ flowBalance: THRESHOLD - 1n });
    expect(found.findings).toMatchObject([{ accountId: 1, needsFlow: true, needsRepair: false, height: 200 }]);
    // Needed is counted where it is sent.
    expect(counts).toEqual({ flow_balance_checks: 1, vaults_already_exist: 1, synced_wallets: 1 });
  });

  it('without its vault is repaired and makes one; with one that lacks a capability it is repaired and makes none', () => {
    const dropped = digestOne({ vault: false, receiverCapability: false, balanceCapability: false });
    expect(dropped.found.findings).toMatchObject([{ needsRepair: true, lacksVault: true, needsFlow: false }]);
    expect(dropped.counts).toEqual({ flow_balance_checks: 1 });
    for (const lack of ['receiverCapability', 'balanceCapability'] as const) {
      const { found, counts } = digestOne({ [lack]: false });
      expect(found.findings).toMatchObject([{ needsRepair: true, lacksVault: false }]);
      expect(counts).toEqual({ flow_balance_checks: 1, vaults_already_exist: 1 });
    }
  });

  it('whose FLOW receiver leads elsewhere is not funded, and counted as needed and failed', () => {
    const { found, counts, errors } = digestOne({ flowBalance: 0n, flowReceiver: false });
    expect(found.findings).toEqual([]);
    expect(found.unreachable).toHaveLength(1);
    expect(counts).toMatchObject({ flow_funding_needed: 1, flow_funding_errors: 1 });
    expect(errors).toEqual({ 'chain-state': 1 });
  });

  it.each<[string, Partial<CheckedWallet>, RegExp]>([
    ['there is no account', { exists: false, keyPresent: false, vault: false }, /no account/],
    ['its key is gone', { keyPresent: false }, /revoked/],
  ])('is corrupted where %s: it is neither funded nor repaired', (_, chain, reason) => {
    const { found, counts } = digestOne({ ...chain, flowBalance: 0n });
    expect(found).toEqual({ ...nothing, corrupted: [expect.objectContaining({ reason: expect.stringMatching(reason) as string })] });
    expect(counts).toEqual({});
  });

  it('shown by a node that is behind our last deposit is not judged', () => {
    expect(digestOne({ flowBalance: 0n, vault: false, exists: false }, { depositHeight: 201 })).toEqual({ found: nothing, counts: { unknown: 1 }, errors: { network: 1 } });
  });

  it('that was corrupted and is sound is so again; one that the journal lacks is taken in', () => {
    expect(digestOne({}, { state: 'corrupted' }).found.sound).toHaveLength(1);
    expect(digestOne({}, { accountId: null, asRecorded: false }).found.strangers).toHaveLength(1);
    expect(digestOne({ keyPresent: false }, { accountId: null, asRecorded: false }).found.strangers).toEqual([]);
  });

  it('that makes a script fail alone is set apart, and is like all others once it does not', () => {
    const { found, counts } = digestOne(new AppError('chain-state', 'its vault panics'));
    expect(found.apart).toMatchObject([{ work: 'check', address: ADDRESS, reason: 'its vault panics' }]);
    expect(counts).toEqual({ set_apart: 1 });
    const before = nobody();
    before.check.set(ADDRESS, { reason: 'its vault panics', isDue: true });
    expect(digestOne({}, {}, before).found.noLongerApart).toEqual([{ work: 'check', address: ADDRESS }]);
  });

  it('whose repair failed is not repaired before its time, then again, and forgotten once it is whole', () => {
    const waiting = nobody();
    waiting.repair.set(ADDRESS, { reason: 'blocked', isDue: false });
    expect(digestOne({ vault: false }, {}, waiting)).toMatchObject({ found: { findings: [] }, counts: { set_apart: 1 } });
    const due = nobody();
    due.repair.set(ADDRESS, { reason: 'blocked', isDue: true });
    expect(digestOne({ vault: false }, {}, due).found.findings).toMatchObject([{ needsRepair: true }]);
    expect(digestOne({}, {}, due).found.noLongerApart).toEqual([{ work: 'repair', address: ADDRESS }]);
    // It gets FLOW all the same.
    expect(digestOne({ vault: false, flowBalance: 0n }, {}, waiting).found.findings).toMatchObject([{ needsRepair: false, needsFlow: true }]);
  });
});
