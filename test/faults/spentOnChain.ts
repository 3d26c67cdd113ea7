import { z } from 'zod';
import { connectAccessNode, MAX_EVENT_RANGE, type RangeEvent } from '../../src/flow/accessNode.js';
import { normalizeAddress } from '../../src/flow/address.js';
import { parseAmount } from '../../src/flow/amount.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { createLog } from '../../src/log.js';

const FLOW_TOKEN = 'A.0ae53cb6e3f42a79.FlowToken';
/** What the chain did, by its own events. */
export interface Spent {
  readonly accounts: number;
  /** What left the funders, in 10^-8 FLOW: gifts, what making accounts costs, fees. */
  readonly flow: bigint;
}

/** The same of one block, and the block's own time in milliseconds. */
export interface SpentInBlock extends Spent {
  readonly at: number;
}

/** Everything that was made and spent since that block, block by block; `funders` with their 0x. */
export async function spentOnChain(url: string, from: number, funders: ReadonlySet<string>): Promise<SpentInBlock[]> {
  const node = connectAccessNode({ url, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const { height: to } = await node.latestSealedBlock();
    const events = async (type: string): Promise<RangeEvent[]> => {
      const found: RangeEvent[] = [];
      for (let first = from; first <= to; first += MAX_EVENT_RANGE) found.push(...(await node.eventsInRange(type, first, Math.min(to, first + MAX_EVENT_RANGE - 1))));
      return found;
    };
    const withdrawn = (await events(`${FLOW_TOKEN}.TokensWithdrawn`)).filter(({ data }) => data['from'] !== null && funders.has(normalizeAddress(String(data['from']))));
    const made = await events('flow.AccountCreated');
    const blocks: SpentInBlock[] = [];
    for (const height of [...new Set([...withdrawn, ...made].map((event) => event.height))].sort((a, b) => a - b)) {
      const flow = withdrawn.filter((event) => event.height === height).reduce((sum, { data }) => sum + parseAmount(String(data['amount'])), 0n);
      blocks.push({ at: await timeOf(url, height), accounts: made.filter((event) => event.height === height).length, flow });
    }
    return blocks;
  } finally {
    node.close();
  }
}

const blocksAnswer = z.tuple([z.object({ header: z.object({ timestamp: z.iso.datetime({ offset: true }) }) })]);

async function timeOf(url: string, height: number): Promise<number> {
  const answer = await fetch(`${url}/v1/blocks?height=${height}`);
  return Date.parse(blocksAnswer.parse(await answer.json())[0].header.timestamp);
}

export const sumOf = (blocks: readonly Spent[]): Spent => blocks.reduce((sum, block) => ({ accounts: sum.accounts + block.accounts, flow: sum.flow + block.flow }), { accounts: 0, flow: 0n });

/** The most that any window of so many milliseconds holds; a window has its end, not its beginning. */
export function mostWithin(windowMs: number, blocks: readonly SpentInBlock[]): Spent {
  const windows = blocks.map(({ at: end }) => sumOf(blocks.filter(({ at }) => at > end - windowMs && at <= end)));
  return windows.reduce((most, each) => ({ accounts: Math.max(most.accounts, each.accounts), flow: most.flow > each.flow ? most.flow : each.flow }), { accounts: 0, flow: 0n });
}
