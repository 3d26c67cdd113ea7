// The feed's rows: who signed up, and what became of it. Bounded, so that a flood of sign-ups costs the page no memory. No DOM here.

/** @typedef {import('./types.d.ts').FeedRow} FeedRow */

/** An empty feed of at most `limit` rows. @param {number} limit */
export function createFeedModel(limit) {
  /** @type {Map<string, FeedRow>} The one that was heard of last is last. */
  const rows = new Map();

  /** @param {FeedRow} row */
  const put = (row) => {
    rows.set(row.authId, row);
    while (rows.size > limit) rows.delete(whoGoes());
  };
  /** Who waits is shown as long as there are others: the oldest ready one goes first. */
  const whoGoes = () => {
    for (const row of rows.values()) if (row.ready !== null) return row.authId;
    return rows.keys().next().value ?? '';
  };

  return {
    /** Who is ready already stays so: events can come twice, and late. @param {import('./types.d.ts').SignUpEvent} event */
    signedUp({ auth_id, at }) {
      if (!rows.has(auth_id)) put({ authId: auth_id, signedUpAt: Date.parse(at), ready: null });
    },
    /** @param {import('./types.d.ts').ReadyEvent} event */
    becameReady({ auth_id, address, at, waited_ms, source, from_pool }) {
      const signedUpAt = rows.get(auth_id)?.signedUpAt ?? Date.parse(at) - (waited_ms ?? 0);
      put({ authId: auth_id, signedUpAt, ready: { address, waitedMs: waited_ms, source, fromPool: from_pool } });
    },
    /** Nobody waits, the service says: who signed up before then and was not heard of is ready; his event was missed. @param {number} before */
    nobodyWaits(before) {
      for (const row of rows.values()) if (row.ready === null && row.signedUpAt < before) rows.delete(row.authId);
    },
    /** The newest sign-up first; events that come together have no order. */
    rows: () => [...rows.values()].reverse().sort((a, b) => b.signedUpAt - a.signedUpAt),
  };
}
