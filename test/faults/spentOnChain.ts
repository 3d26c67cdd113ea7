import { z } from 'zod';
import { connectAccessNode, MAX_EVENT_RANGE, type RangeEvent } from '../../src/flow/accessNode.js';
import { normalizeAddress } from '../../src/flow/address.js';
import { parseAmount } from '../../src/flow/amount.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { createLog } from '../../src/log.js';

const FLOW_TOKEN = 'A.0ae53cb6e3f42a79.FlowToken';
const Blocks = z.array(z.object({ header: z.object({ height: z.coerce.number(), timestamp: z.coerce.date() }) }));

/** What the chain did at one moment, by its own events. */
export interface Spent {
  /** The block's time, in milliseconds since 1970. */
  readonly at: number;
  readonly accounts: number;
  /** What left the funders, in 10^-8 FLOW: gifts, what making accounts costs, fees. */
  readonly flow: bigint;
}

/** Everything that was made and spent in these blocks, oldest first; `funders` with their 0x. */
export async function spentOnChain(url: string, from: number, funders: ReadonlySet<string>): Promise<Spent[]> {
  const node = connectAccessNode({ url, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const { height: to } = await node.latestSealedBlock();
    const events = async (type: string): Promise<RangeEvent[]> => {
      const found: RangeEvent[] = [];
      for (let first = from; first <= to; first += MAX_EVENT_RANGE) found.push(...(await node.eventsInRange(type, first, Math.min(to, first + MAX_EVENT_RANGE - 1))));
      return found;
    };
    const byHeight = new Map<number, { accounts: number; flow: bigint }>();
    const at = (height: number) => {
      const known = byHeight.get(height) ?? { accounts: 0, flow: 0n };
      byHeight.set(height, known);
      return known;
    };
    for (const { height } of await events('flow.AccountCreated')) at(height).accounts += 1;
    for (const { height, data } of await events(`${FLOW_TOKEN}.TokensWithdrawn`)) {
      if (data['from'] !== null && funders.has(normalizeAddress(String(data['from'])))) at(height).flow += parseAmount(String(data['amount']));
    }
    const spent: Spent[] = [];
    for (const [height, each] of [...byHeight].sort(([a], [b]) => a - b)) {
      const answer = await fetch(`${url}/v1/blocks?height=${height}`);
      const [block] = Blocks.parse(await answer.json());
      spent.push({ at: block!.header.timestamp.getTime(), ...each });
    }
    return spent;
  } finally {
    node.close();
  }
}

/** The most that any window of so many milliseconds holds, wherever it begins. */
export function mostInAWindow(spent: readonly Spent[], windowMs: number): { accounts: number; flow: bigint } {
  let most = { accounts: 0, flow: 0n };
  for (const { at: end } of spent) {
    const inside = spent.filter(({ at }) => at > end - windowMs && at <= end);
    const accounts = inside.reduce((sum, each) => sum + each.accounts, 0);
    const flow = inside.reduce((sum, each) => sum + each.flow, 0n);
    most = { accounts: Math.max(most.accounts, accounts), flow: flow > most.flow ? flow : most.flow };
  }
  return most;
}
