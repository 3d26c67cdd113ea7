import type { AccessNode } from '../../../src/flow/accessNode.js';
import type { Db, Journal } from '../../../src/journal/pool.js';
import type { Breakpoint } from './breakpoint.js';

/** The same journal, whose every statement, commit and answer is a step of the process. */
export function breakInJournal(journal: Journal, breakpoint: Breakpoint): Journal {
  const through = (db: Db): Db => ({ query: (text, values) => breakpoint.call(() => db.query(text, values)) });
  return {
    ...through(journal),
    async transaction(work) {
      await breakpoint.step();
      const beginning = breakpoint.busy();
      let ending = (): void => undefined;
      const run = journal.transaction(async (db) => {
        beginning();
        try {
          const done = await work(through(db));
          await breakpoint.step();
          return done;
        } finally {
          ending = breakpoint.busy();
        }
      });
      const settled = await run.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      beginning();
      ending();
      await breakpoint.step();
      if ('error' in settled) throw settled.error;
      return settled.value;
    },
    load: () => journal.load(),
    close: () => journal.close(),
  };
}

/** The same access node, whose every call and answer is a step of the process. */
export function breakInNode(node: AccessNode, breakpoint: Breakpoint): AccessNode {
  const { call } = breakpoint;
  return {
    chainId: () => call(() => node.chainId()),
    latestSealedBlock: () => call(() => node.latestSealedBlock()),
    heightOf: (blockId) => call(() => node.heightOf(blockId)),
    account: (address) => call(() => node.account(address)),
    script: (cadence, args, o) => call(() => node.script(cadence, args, o)),
    send: (transaction, o) => call(() => node.send(transaction, o)),
    result: (txId) => call(() => node.result(txId)),
    eventsInRange: (type, from, to) => call(() => node.eventsInRange(type, from, to)),
    calls: () => node.calls(),
    close: () => node.close(),
  };
}
