/** What is to be done later, unless the reactor stops before. */
export interface Delayed {
  after(delayMs: number, act: () => void): void;
  /** Nothing of it is done any more. */
  clear(): void;
}

export function createDelayed(): Delayed {
  const timers = new Set<NodeJS.Timeout>();
  return {
    after(delayMs, act) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        act();
      }, delayMs);
      timers.add(timer);
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
