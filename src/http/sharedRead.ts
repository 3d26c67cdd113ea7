export interface SharedRead<T> {
  /** The last answer while it is fresh, else a new one; all who ask meanwhile get the same. */
  read(): Promise<T>;
  /** The next one is read anew. */
  forget(): void;
}

/** Reading takes at most this share of the time: what is slow to read is read less often. */
const SHARE = 0.05;

/** One reader for any number of askers. An answer is fresh for `freshMs`, and for 20 times as long as it took to read. */
export function createSharedRead<T>(read: () => Promise<T>, freshMs: number, now: () => number = () => performance.now()): SharedRead<T> {
  let last: { readonly value: T; readonly freshUntil: number } | null = null;
  let underWay: Promise<T> | null = null;
  let forgotten = 0;
  return {
    read() {
      if (last !== null && now() < last.freshUntil) return Promise.resolve(last.value);
      if (underWay !== null) return underWay;
      const began = now();
      const asOf = forgotten;
      const mine = read()
        .then((value) => {
          const ended = now();
          if (asOf === forgotten) last = { value, freshUntil: began + Math.max(freshMs, (ended - began) / SHARE) };
          return value;
        })
        .finally(() => {
          if (underWay === mine) underWay = null;
        });
      underWay = mine;
      return mine;
    },
    forget() {
      forgotten += 1;
      last = null;
      underWay = null;
    },
  };
}
