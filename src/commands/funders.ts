import { readEnvironment } from '../environment.js';
import { toAppError, type AppError } from '../errors.js';
import type { ChainAccount } from '../flow/accessNode.js';
import { formatAmount } from '../flow/amount.js';
import type { Funder } from '../flow/network.js';
import { faultOfKey, lowWaterMark } from '../handlers/checkFunders.js';
import { describeSlot, readSlots, type SlotState } from '../journal/funders.js';
import { pickSettings } from '../settings.js';
import { CHAIN_SETTINGS, openChain, type Chain } from './connectChain.js';
import { print } from './output.js';
import { toRanges } from './ranges.js';
import { withJournal } from './withJournal.js';

/** A slot beside its key on chain. */
interface SeenSlot extends SlotState {
  /** What is wrong with the key: missing, revoked, another one. Null: it can sign, or the chain did not answer. */
  readonly keyFault: string | null;
}

interface SeenFunder {
  readonly funder: Funder;
  readonly slots: readonly SeenSlot[];
  /** Null where the chain did not answer, or has no such account: then `error` says which. */
  readonly account: ChainAccount | null;
  readonly error: AppError | string | null;
  /** Keys on chain that could propose, and have no slot, nor will at the next start. */
  readonly unusedKeys: readonly number[];
}

/** `wallet-sync funders list`: the funding accounts, as the chain and the journal have them. A chain that doesn't answer hides nothing of the journal. */
export async function runFundersList(options: { json: boolean }): Promise<void> {
  const environment = readEnvironment();
  const settings = pickSettings(environment, ['DATABASE_URL', ...CHAIN_SETTINGS, 'FLOW_FUNDING_AMOUNT']);
  const chain = openChain(settings, environment);
  try {
    const [slots, seen] = await Promise.all([withJournal(readSlots), readAccounts(chain)]);
    const funders = chain.network.funders.map((funder, index) => compare(funder, slots, seen[index] ?? null));
    const lowWater = lowWaterMark(settings.FLOW_FUNDING_AMOUNT);
    const strangers = slots.filter((slot) => !chain.network.funders.some((funder) => funder.address === slot.address));
    print(options.json, toJson(funders, strangers, lowWater), toText(funders, strangers, lowWater, settings));
  } finally {
    chain.node.close();
  }
}

/** Each funder's account, in the order of flow.json; null where there is none, the error where the chain did not answer. */
async function readAccounts({ network, node, requireNetwork }: Chain): Promise<(ChainAccount | AppError | null)[]> {
  const right = await requireNetwork().then(() => null, toAppError);
  if (right !== null) return network.funders.map(() => right);
  return Promise.all(network.funders.map((funder) => node.account(funder.address).catch(toAppError)));
}

function compare(funder: Funder, all: readonly SlotState[], seen: ChainAccount | AppError | null): SeenFunder {
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

/** The first that holds, in this order. */
function stateOf(slot: SlotState): 'unsealed' | 'out-of-rotation' | 'leased' | 'free' {
  if (slot.unsealed !== null) return 'unsealed';
  if (slot.outOfRotation !== null) return 'out-of-rotation';
  return slot.lessee === null ? 'free' : 'leased';
}

const errorText = (error: AppError | string): string => (typeof error === 'string' ? error : error.where === undefined ? error.message : `${error.where}: ${error.message}`);

function toJson(funders: readonly SeenFunder[], strangers: readonly SlotState[], lowWater: bigint): unknown {
  const slotJson = (slot: SlotState | SeenSlot): unknown => ({
    key_index: slot.keyIndex,
    state: stateOf(slot),
    leased_by: slot.lessee,
    transaction: slot.unsealed === null ? null : { id: slot.unsealed.id, kind: slot.unsealed.kind, age_s: slot.unsealed.ageSeconds },
    out_of_rotation: slot.outOfRotation,
    sequence_number: slot.sequenceNumber,
    used_at: slot.usedAt?.toISOString() ?? null,
    ...('keyFault' in slot ? { key_on_chain: slot.keyFault } : {}),
  });
  return {
    funders: funders.map(({ funder, slots, account, error, unusedKeys }) => ({
      name: funder.name,
      address: funder.address,
      balance: account === null ? null : formatAmount(account.balance),
      low_water: formatAmount(lowWater),
      low: account === null ? null : account.balance < lowWater,
      chain_error: error === null ? null : errorText(error),
      slots: slots.map(slotJson),
      keys_without_slot: unusedKeys,
    })),
    slots_of_no_funder: strangers.map((slot) => ({ address: slot.address, ...(slotJson(slot) as object) })),
  };
}

function toText(funders: readonly SeenFunder[], strangers: readonly SlotState[], lowWater: bigint, settings: { NETWORK: string; FLOW_JSON: string }): string {
  const lines = funders.flatMap((funder) => [toHeading(funder, lowWater), ...funder.slots.map(toLine), ...toNotes(funder), '']);
  if (funders.length === 0) lines.push(`${settings.FLOW_JSON} has no funding account of ${settings.NETWORK}.`, '  mend: add one, named funder-1 or in FUNDING_ACCOUNTS', '');
  for (const [text, keyIndexes] of groupByText(strangers)) lines.push(`${text} (keys ${toRanges(keyIndexes)})`);
  return lines.join('\n').trimEnd();
}

/** Slots that flow.json has no account of: those that do the same are one line. */
function groupByText(slots: readonly SlotState[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const slot of slots) {
    const text = `${slot.address}  of no funding account here, ${describeSlot(slot)}`;
    groups.set(text, [...(groups.get(text) ?? []), slot.keyIndex]);
  }
  return groups;
}

function toHeading({ funder, account, error }: SeenFunder, lowWater: bigint): string {
  const name = `${funder.name}  ${funder.address}`;
  if (account === null) return `${name}  balance unknown: ${error === null ? '' : errorText(error)}`;
  const mark = account.balance < lowWater ? `below its low-water mark of ${formatAmount(lowWater)}: send FLOW to it` : `low-water mark ${formatAmount(lowWater)}`;
  return `${name}  ${formatAmount(account.balance)} FLOW, ${mark}`;
}

function toLine(slot: SeenSlot): string {
  const number = slot.sequenceNumber === null ? 'number not read yet' : `next number ${slot.sequenceNumber}`;
  const used = slot.usedAt === null ? 'never used' : `used ${slot.usedAt.toISOString().slice(0, 19)}Z`;
  const fault = slot.keyFault === null ? '' : `; its key on chain is ${slot.keyFault}`;
  return `  key ${`${slot.keyIndex}`.padStart(3)}  ${describeSlot(slot)}  (${number}, ${used})${fault}`;
}

function toNotes({ funder, slots, unusedKeys }: SeenFunder): string[] {
  const missing = funder.keyIndexes.filter((index) => !slots.some((slot) => slot.keyIndex === index));
  return [
    ...(missing.length === 0 ? [] : [`  no slot yet: keys ${toRanges(missing)} of flow.json; \`wallet-sync run\` makes them at its start`]),
    ...(unusedKeys.length === 0 ? [] : [`  without a slot: keys ${toRanges(unusedKeys)} on chain. To propose with them, add them to "indexes" of ${funder.name} in flow.json and restart`]),
  ];
}
