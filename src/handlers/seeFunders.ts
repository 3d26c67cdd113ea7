import { toAppError, type AppError } from '../errors.js';
import type { AccessNode, ChainAccount } from '../flow/accessNode.js';
import { formatAmount } from '../flow/amount.js';
import type { Funder, Network } from '../flow/network.js';
import type { SlotState } from '../journal/funders.js';
import { faultOfKey } from './checkFunders.js';

/** A slot beside its key on chain. */
export interface SeenSlot extends SlotState {
  /** What is wrong with the key: missing, revoked, another one. Null: it can sign, or the chain did not answer. */
  readonly keyFault: string | null;
}

export interface SeenFunder {
  readonly funder: Funder;
  readonly slots: readonly SeenSlot[];
  /** Null where the chain did not answer, or has no such account: then `error` says which. */
  readonly account: ChainAccount | null;
  readonly error: AppError | string | null;
  /** Keys on chain that could propose, and have no slot, nor will at the next start. */
  readonly unusedKeys: readonly number[];
}

/** Each funder as chain and journal have it, in the order of flow.json. A chain that doesn't answer hides nothing of the journal. */
export async function seeFunders(network: Network, node: Pick<AccessNode, 'account'>, slots: readonly SlotState[]): Promise<SeenFunder[]> {
  return Promise.all(network.funders.map(async (funder) => compare(funder, slots, await node.account(funder.address).catch(toAppError))));
}

/** The slots of no funder here. */
export const strangersAmong = (network: Network, slots: readonly SlotState[]): SlotState[] => slots.filter((slot) => !network.funders.some((funder) => funder.address === slot.address));

/** A funder's slots beside the account that the chain shows: null where it has none, the error where it did not answer. */
export function compare(funder: Funder, all: readonly SlotState[], seen: ChainAccount | AppError | null): SeenFunder {
  const slots = all.filter((slot) => slot.address === funder.address);
  if (seen === null) return { funder, slots: slots.map((slot) => ({ ...slot, keyFault: 'missing' })), account: null, error: 'does not exist on chain', unusedKeys: [] };
  if (seen instanceof Error) return { funder, slots: slots.map((slot) => ({ ...slot, keyFault: null })), account: null, error: seen, unusedKeys: [] };
  return {
    funder,
    slots: slots.map((slot) => ({ ...slot, keyFault: faultOfKey(funder, seen.keys.find((key) => key.index === slot.keyIndex)) })),
    account: seen,
    error: null,
    unusedKeys: seen.keys.filter((key) => faultOfKey(funder, key) === null && !funder.keyIndexes.includes(key.index) && !slots.some((slot) => slot.keyIndex === key.index)).map((key) => key.index),
  };
}

/** What was wrong as a funder was looked up, for a person. */
export const errorText = (error: AppError | string): string => (typeof error === 'string' ? error : error.where === undefined ? error.message : `${error.where}: ${error.message}`);

/** The first that holds, in this order. */
function stateOf(slot: SlotState): 'unsealed' | 'out-of-rotation' | 'leased' | 'free' {
  if (slot.unsealed !== null) return 'unsealed';
  if (slot.outOfRotation !== null) return 'out-of-rotation';
  return slot.lessee === null ? 'free' : 'leased';
}

/** A slot as the reports have it. */
export const slotToJson = (slot: SlotState | SeenSlot) => ({
  key_index: slot.keyIndex,
  state: stateOf(slot),
  leased_by: slot.lessee,
  transaction: slot.unsealed === null ? null : { id: slot.unsealed.id, kind: slot.unsealed.kind, age_s: slot.unsealed.ageSeconds },
  out_of_rotation: slot.outOfRotation,
  sequence_number: slot.sequenceNumber,
  used_at: slot.usedAt?.toISOString() ?? null,
  ...('keyFault' in slot ? { key_on_chain: slot.keyFault } : {}),
});

/** A funder as the reports have it. `lowWater` in 10^-8 FLOW. */
export const funderToJson = ({ funder, slots, account, error, unusedKeys }: SeenFunder, lowWater: bigint) => ({
  name: funder.name,
  address: funder.address,
  balance: account === null ? null : formatAmount(account.balance),
  low_water: formatAmount(lowWater),
  low: account === null ? null : account.balance < lowWater,
  chain_error: error === null ? null : errorText(error),
  slots: slots.map(slotToJson),
  keys_without_slot: unusedKeys,
});
