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

/** Everything that was made and spent since that block; `funders` with their 0x. */
export async function spentOnChain(url: string, from: number, funders: ReadonlySet<string>): Promise<Spent> {
  const node = connectAccessNode({ url, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const { height: to } = await node.latestSealedBlock();
    const events = async (type: string): Promise<RangeEvent[]> => {
      const found: RangeEvent[] = [];
      for (let first = from; first <= to; first += MAX_EVENT_RANGE) found.push(...(await node.eventsInRange(type, first, Math.min(to, first + MAX_EVENT_RANGE - 1))));
      return found;
    };
    const withdrawn = (await events(`${FLOW_TOKEN}.TokensWithdrawn`)).filter(({ data }) => data['from'] !== null && funders.has(normalizeAddress(String(data['from']))));
    return { accounts: (await events('flow.AccountCreated')).length, flow: withdrawn.reduce((sum, { data }) => sum + parseAmount(String(data['amount'])), 0n) };
  } finally {
    node.close();
  }
}
