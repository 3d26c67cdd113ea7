type Tell = (step: string, durationMs: number, sinceStartMs: number) => void;

/** Times the steps of a start, in milliseconds; those before `tell` are told by it. */
export interface StartClock {
  /** A step is done: its time runs from the end of the one before. */
  step(name: string): void;
  tell(teller: Tell): void;
}

/** Starts with the process itself: what it took to load counts as part of the first step. */
export function startClock(): StartClock {
  let last = 0;
  let teller: Tell | null = null;
  const untold: Parameters<Tell>[] = [];
  return {
    step(name) {
      // Since the process began.
      const now = performance.now();
      const done: Parameters<Tell> = [name, Math.round(now - last), Math.round(now)];
      last = now;
      if (teller === null) untold.push(done);
      else teller(...done);
    },
    tell(tell) {
      teller = tell;
      for (const done of untold.splice(0)) tell(...done);
    },
  };
}
