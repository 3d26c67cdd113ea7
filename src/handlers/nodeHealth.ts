import { AppError } from '../errors.js';
import type { AccessNode } from '../flow/accessNode.js';
import type { Log } from '../log.js';

export interface NodeHealth {
  /** `unknown` before the first answer. */
  readonly state: 'unknown' | 'ok' | 'down';
  readonly reason: string | null;
  /** ISO time of the last change. */
  readonly since: string;
}

/** So many calls in a row without an answer, and the node counts as down: one alone is what networks do. */
const SILENT_CALLS = 3;

/** The same access node, whose calls tell how it is. `onHealth` is told of each change. */
export function watchNode(node: AccessNode, options: { readonly log: Log; readonly onHealth: (health: NodeHealth) => void }): AccessNode {
  let state: NodeHealth['state'] = 'unknown';
  let silent = 0;
  const become = (next: NodeHealth['state'], reason: string | null): void => {
    if (state === next) return;
    if (next === 'down' || state === 'down') options.log[next === 'down' ? 'warn' : 'info']({ state: next, reason }, 'access node health');
    state = next;
    options.onHealth({ state, reason, since: new Date().toISOString() });
  };
  const watched = async <T>(call: Promise<T>): Promise<T> => {
    try {
      const answer = await call;
      silent = 0;
      become('ok', null);
      return answer;
    } catch (thrown) {
      // Any other error is an answer.
      if (!(thrown instanceof AppError) || (thrown.kind !== 'network' && thrown.kind !== 'rate-limit')) {
        silent = 0;
        become('ok', null);
      } else if (++silent >= SILENT_CALLS) become('down', thrown.message);
      throw thrown;
    }
  };
  return {
    chainId: () => watched(node.chainId()),
    latestSealedBlock: () => watched(node.latestSealedBlock()),
    heightOf: (blockId) => watched(node.heightOf(blockId)),
    account: (address) => watched(node.account(address)),
    script: (cadence, args, o) => watched(node.script(cadence, args, o)),
    send: (transaction, o) => watched(node.send(transaction, o)),
    result: (txId) => watched(node.result(txId)),
    eventsInRange: (type, from, to) => watched(node.eventsInRange(type, from, to)),
    close: () => node.close(),
  };
}
