import { describe, expect, it } from 'vitest';
import type { AppError } from '../../src/errors.js';
import { classifyChainError } from '../../src/flow/errors.js';
import { blamedBy } from '../../src/handlers/blame.js';
import type { LiveTransaction } from '../../src/journal/transactions.js';

const WALLET = '0x00000000000000b1';
const FUNDER = '0x00000000000000aa';

const transaction = (of: 'funder' | 'wallet'): LiveTransaction => ({
  id: 'ab'.repeat(32), kind: of === 'wallet' ? 'repair' : 'create', body: '{}', cycle: null, sequenceNumber: 7, referenceHeight: 1, expiryBlocks: 600, createdAt: new Date(0),
  slot: { address: of === 'wallet' ? WALLET : FUNDER, keyIndex: of === 'wallet' ? 0 : 3, epoch: 1, sequenceNumber: 7 },
  payer: of === 'wallet' ? { address: FUNDER, keyIndex: 5 } : null,
});
const failure = (code: number, text = ''): AppError => classifyChainError(`[Error Code: ${code}] error caused by: 1 error occurred: ${text}`);
const storageOf = (address: string): AppError => failure(1103, `The account with address (${address.slice(2)}) uses 100 bytes of storage which is over its capacity`);

describe('what a funder proposes and pays', () => {
  it.each([1006, 1008, 1009])('fails with %i: its key leaves the rotation', (code) => {
    expect(blamedBy(transaction('funder'), failure(code))).toMatchObject({ address: FUNDER, keyIndex: 3 });
  });

  it.each([1103, 1109, 1118])('fails with %i: the whole funder does', (code) => {
    expect(blamedBy(transaction('funder'), failure(code))).toEqual({ address: FUNDER, reason: 'no FLOW left' });
  });
});

describe('what a wallet proposes and a funder pays', () => {
  it("fails with 1009: the payer's key leaves the rotation", () => {
    expect(blamedBy(transaction('wallet'), failure(1009))).toMatchObject({ address: FUNDER, keyIndex: 5 });
  });

  it.each([1109, 1118])('fails with %i: the whole funder does', (code) => {
    expect(blamedBy(transaction('wallet'), failure(code))).toEqual({ address: FUNDER, reason: 'no FLOW left' });
  });

  it.each([1006, 1008])("fails with %i: it is the wallet's key", (code) => {
    expect(blamedBy(transaction('wallet'), failure(code))).toBeNull();
  });

  it('fails with 1103: whose storage it is, the chain says', () => {
    expect(blamedBy(transaction('wallet'), storageOf(WALLET))).toBeNull();
    expect(blamedBy(transaction('wallet'), storageOf(FUNDER))).toEqual({ address: FUNDER, reason: 'no FLOW left' });
  });
});

it.each([1007, 1003, 1110, 1101])('%i is the fault of no funder, whoever proposed', (code) => {
  for (const of of ['funder', 'wallet'] as const) expect(blamedBy(transaction(of), failure(code))).toBeNull();
});
