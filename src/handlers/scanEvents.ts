import { MAX_EVENT_RANGE, type AccessNode, type RangeEvent } from '../flow/accessNode.js';
import type { LiveTransaction } from '../journal/transactions.js';

/** The last block in which the transaction can have been executed. */
export const lastBlockOf = (transaction: LiveTransaction): number => transaction.referenceHeight + transaction.expiryBlocks + 1;

/**
 * All events of a type in every block in which the transaction can have been executed. Throws where the node does not answer for
 * each of these blocks: silence about a block is no evidence.
 */
export async function scanEvents(node: Pick<AccessNode, 'eventsInRange'>, type: string, transaction: LiveTransaction): Promise<RangeEvent[]> {
  const last = lastBlockOf(transaction);
  const found: RangeEvent[] = [];
  for (let from = transaction.referenceHeight; from <= last; from += MAX_EVENT_RANGE) {
    found.push(...(await node.eventsInRange(type, from, Math.min(last, from + MAX_EVENT_RANGE - 1))));
  }
  return found;
}
