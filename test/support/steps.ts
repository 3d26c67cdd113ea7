/** A run of steps of which each waits until it is told to go on. */
export interface Stepped {
  /** Lets the next step run and waits until it is done; false where all are done. Throws what the run threw. */
  step(): Promise<boolean>;
}

/**
 * Starts `run`, which calls `pause` before each of its steps, and holds it at the first. With several of them, and an order drawn
 * at random, every interleaving of real connections can be played one statement at a time.
 */
export function startStepped(run: (pause: () => Promise<void>) => Promise<void>): Stepped {
  let go: () => void = () => undefined;
  let paused: () => void = () => undefined;
  let atPause = new Promise<void>((resolve) => (paused = resolve));
  let done = false;
  const finished = run(
    () =>
      new Promise<void>((resolve) => {
        go = resolve;
        paused();
      }),
  ).then(
    () => void (done = true),
    (error: unknown) => {
      done = true;
      throw error;
    },
  );
  finished.catch(() => undefined);
  return {
    async step() {
      await Promise.race([atPause, finished]);
      if (done) {
        await finished;
        return false;
      }
      atPause = new Promise<void>((resolve) => (paused = resolve));
      go();
      await Promise.race([atPause, finished]);
      return true;
    },
  };
}

/** Plays runs in the order of `order` (their indexes), and then the rest of each. */
export async function playInOrder(runs: readonly Stepped[], order: readonly number[]): Promise<void> {
  for (const index of order) await runs[index]!.step();
  for (const run of runs) while (await run.step());
}
