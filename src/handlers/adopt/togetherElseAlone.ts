import { toAppError } from '../../errors.js';

/**
 * Writes all in one transaction; where a row refuses, each in one of its own, so that it alone stays as it was. `refused` is told each that does, and why in words
 * that quote no row. Throws what is no row's fault.
 */
export async function togetherElseAlone<Item>(items: readonly Item[], write: (some: readonly Item[]) => Promise<void>, refused: (item: Item, reason: string) => void): Promise<void> {
  if (items.length === 0) return;
  try {
    await write(items);
  } catch (thrown) {
    if (!isRowsFault(thrown)) throw thrown;
    for (const item of items) {
      try {
        await write([item]);
      } catch (alone) {
        if (!isRowsFault(alone)) throw alone;
        // Not the message: a trigger of the application's could quote the row.
        refused(item, `public.wallet refuses it (${toAppError(alone).where ?? 'postgres'})`);
      }
    }
  }
}

/** What a row itself can cause: data that a column does not take (22), a constraint (23), a trigger that raises (P0). */
const isRowsFault = (thrown: unknown): boolean => /^postgres (22|23|P0)/.test(toAppError(thrown).where ?? '');
