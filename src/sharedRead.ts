export interface SharedRead<T> {
  /** The last answer while it is fresh, else a new one; all who ask meanwhile get the same. */
  read(): Promise<T>;
  /** The next one is read anew. */
  forget(): void;
}

/** Reading takes at most this share of the time: what is slow to read is read less often. */
const SHARE = 0.05;

/**
 * One reader for any number of askers. An answer is fresh for `freshMs`, and for 20 times as long as it took to read; with 0 never. A failure is an
 * answer too, for `freshMs`: a database that is down is not asked by each.
 */
export function createSharedRead<T>(read: () => Promise<T>, freshMs: number, now: () => number = () => performance.now()): SharedRead<T> {
  let answer: Promise<T> | null = null;
  let freshUntil = Infinity;
  return {
    read() {
      if (answer !== null && now() < freshUntil) return answer;
      const began = now();
      const mine = read();
      answer = mine;
      freshUntil = Infinity;
      const keepUntil = (until: number): void => {
        if (answer === mine) freshUntil = until;
      };
      mine.then(
        () => keepUntil(freshMs === 0 ? began : began + Math.max(freshMs, (now() - began) / SHARE)),
        () => keepUntil(now() + freshMs),
      );
      return mine;
    },
    forget() {
      answer = null;
    },
  };
}
