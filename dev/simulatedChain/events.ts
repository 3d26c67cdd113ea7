import type { ChainEvent } from '../../src/flow/accessNode.js';
import { bareAddress } from '../../src/flow/address.js';
import { formatAmount } from '../../src/flow/amount.js';

/** FlowFees on the emulator; flow.json has no need of it. */
const FLOW_FEES = 'e5a8b7f23e8b548f';

/** Events as an access node's client decodes them: numbers are strings. */
export interface Events {
  accountCreated(address: string): ChainEvent;
  keyAdded(address: string, publicKey: string, keyIndex: number): ChainEvent;
  deposited(to: string, amount: bigint): ChainEvent;
  withdrawn(from: string, amount: bigint): ChainEvent;
  /** `effort` in computation units; the event gives it in 10^-8. */
  feesDeducted(amount: bigint, effort: number): ChainEvent;
}

/** The events of one network's contracts. */
export function createEvents(contracts: Readonly<Record<string, string>>): Events {
  const flowToken = bareAddress(contracts['FlowToken'] ?? '');
  return {
    accountCreated: (address) => ({ type: 'flow.AccountCreated', data: { address } }),
    keyAdded: (address, publicKey, keyIndex) => ({
      type: 'flow.AccountKeyAdded',
      data: {
        address,
        publicKey: { publicKey: [...Buffer.from(publicKey, 'hex')].map(String), signatureAlgorithm: { rawValue: '1' } },
        weight: '1000.00000000',
        hashAlgorithm: { rawValue: '3' },
        keyIndex: `${keyIndex}`,
      },
    }),
    deposited: (to, amount) => ({ type: `A.${flowToken}.FlowToken.TokensDeposited`, data: { amount: formatAmount(amount), to } }),
    withdrawn: (from, amount) => ({ type: `A.${flowToken}.FlowToken.TokensWithdrawn`, data: { amount: formatAmount(amount), from } }),
    feesDeducted: (amount, effort) => ({
      type: `A.${FLOW_FEES}.FlowFees.FeesDeducted`,
      data: { amount: formatAmount(amount), inclusionEffort: '1.00000000', executionEffort: formatAmount(BigInt(effort)) },
    }),
  };
}
