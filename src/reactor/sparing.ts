/** Work that is repeated often. Where it fails, each `times`-th failure in a row is thrown, and the others are passed over: what lasts is told, and not each time. */
export function sparing(times: number, work: () => Promise<void>): () => Promise<void> {
  let failures = 0;
  return async () => {
    try {
      await work();
      failures = 0;
    } catch (thrown) {
      failures += 1;
      if (failures % times === 0) throw thrown;
    }
  };
}
