import { z } from 'zod';
import type { AccessNode } from './accessNode.js';
import { parseAmount } from './amount.js';
import { addressArg, arrayArg } from './args.js';
import type { Cadence } from './cadence.js';
import { parseShape } from './shape.js';

const Answer = z.object({ height: z.coerce.number().int(), balances: z.array(z.string().transform(parseAmount)) });

export interface BalancesAt {
  readonly height: number;
  /** In 10^-8 FLOW, in the order of the addresses; 0 where there is no account. */
  readonly balances: readonly bigint[];
}

/**
 * The balances of some accounts in one block: the one at `height`, else the latest that is sealed. Throws where the node does not
 * keep the state of that block, as public access nodes do for some time only.
 */
export async function readBalances(node: Pick<AccessNode, 'script'>, cadence: Pick<Cadence, 'script'>, addresses: readonly string[], height?: number): Promise<BalancesAt> {
  const answer = await node.script(cadence.script('readBalances'), [arrayArg(addresses.map(addressArg))], height === undefined ? {} : { height });
  return parseShape(Answer, answer, 'readBalances.cdc');
}
