import { makeWallets } from '../../src/journal/sweepPages.js';
import type { Journal } from '../../src/journal/pool.js';

/** Makes the rows of all users who lack one, `pageSize` users at a time, as a sweep does. Returns how many users it looked at, and how many rows it made. */
export async function makeMissingWallets(journal: Journal, pageSize = 1_000): Promise<{ users: number; made: number }> {
  const total = { users: 0, made: 0 };
  for (let after: string | null = null; ; ) {
    const { rows } = await journal.query('select id from wallet_sync.users_page($1, $2)', [after, pageSize]);
    const ids = rows.map((row) => String(row['id']));
    // For a page of nobody too: it says what is missing from the schema.
    total.made += await makeWallets(journal, ids);
    total.users += ids.length;
    after = ids.at(-1) ?? null;
    if (after === null) return total;
  }
}
