import { normalizeAddress } from './address.js';
import { formatAmount } from './amount.js';
import type { FclArg } from './fcl.js';

/** Arguments of scripts and transactions, as JSON-Cadence values. */

export function addressArg(address: string): FclArg {
  return { type: 'Address', value: normalizeAddress(address) };
}

/** `amount` in 10^-8. */
export function amountArg(amount: bigint): FclArg {
  return { type: 'UFix64', value: formatAmount(amount) };
}

export function stringArg(text: string): FclArg {
  return { type: 'String', value: text };
}

export function arrayArg(values: readonly FclArg[]): FclArg {
  return { type: 'Array', value: values };
}
