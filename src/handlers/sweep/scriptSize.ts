/** A script computes 100,000 at most. Measured on the emulator, whole wallets with one key each: 4,000 pass and 5,000 fail; nodes differ. */
const FIRST = 1_000;
/** No more, whatever the node bears: the question of 2,000 wallets has 0.5 MB, and the emulator takes a second for it. */
const MOST = 2_000;
const LEAST = 50;
const GROWTH = 1.25;
/** After a script was too large, the next size is this share of it … */
const RETREAT = 0.8;
/** … and it is tried again, by a tenth more each time, only after so many scripts passed. */
const PATIENCE = 100;

export interface ScriptSize {
  /** How many wallets the next script may look at. */
  current(): number;
  /** A script of so many passed. */
  notePassed(wallets: number): void;
  /** A script of so many was too large. */
  noteTooLarge(wallets: number): void;
}

/** How many wallets one script looks at: grows while scripts pass, shrinks at once where one is too large. Lives as long as the process, so each sweep begins where the last one ended. */
export function createScriptSize(): ScriptSize {
  let size = FIRST;
  let ceiling = MOST;
  let passed = 0;
  return {
    current: () => size,
    notePassed(wallets) {
      // A small one says nothing of large ones.
      if (wallets < size) return;
      passed += 1;
      if (passed % PATIENCE === 0) ceiling = Math.min(MOST, Math.round(ceiling * 1.1));
      size = Math.min(ceiling, Math.round(size * GROWTH));
    },
    noteTooLarge(wallets) {
      // Those that were under way together say it once.
      if (wallets < LEAST || wallets > ceiling) return;
      passed = 0;
      ceiling = Math.max(LEAST, Math.min(ceiling, Math.floor(wallets * RETREAT)));
      size = Math.min(size, ceiling);
    },
  };
}
