import { readEnvironment } from '../environment.js';
import { toAppError, type AppError } from '../errors.js';
import type { ChainAccount } from '../flow/accessNode.js';
import { formatAmount } from '../flow/amount.js';
import { lowWaterMark } from '../handlers/checkFunders.js';
import { compare, errorText, funderToJson, slotToJson, strangersAmong, type SeenFunder, type SeenSlot } from '../handlers/seeFunders.js';
import { describeSlot, readSlots, type SlotState } from '../journal/funders.js';
import { pickSettings } from '../settings.js';
import { CHAIN_SETTINGS, openChain, type Chain } from './connectChain.js';
import { print } from './output.js';
import { toRanges } from './ranges.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync funders list`: the funding accounts, as the chain and the journal have them. A chain that doesn't answer hides nothing of the journal. */
export async function runFundersList(options: { json: boolean }): Promise<void> {
  const environment = readEnvironment();
  const settings = pickSettings(environment, ['DATABASE_URL', ...CHAIN_SETTINGS, 'FLOW_FUNDING_AMOUNT', 'FUNDER_FLOOR']);
  const chain = await openChain(settings, environment);
  try {
    const [slots, seen] = await Promise.all([withJournal(readSlots), readAccounts(chain)]);
    const funders = chain.network.funders.map((funder, index) => compare(funder, slots, seen[index] ?? null));
    const lowWater = lowWaterMark(settings);
    const strangers = strangersAmong(chain.network, slots);
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

const toJson = (funders: readonly SeenFunder[], strangers: readonly SlotState[], lowWater: bigint): unknown => ({
  funders: funders.map((seen) => funderToJson(seen, lowWater)),
  slots_of_no_funder: strangers.map((slot) => ({ address: slot.address, ...slotToJson(slot) })),
});

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
