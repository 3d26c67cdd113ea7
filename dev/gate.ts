/** A door that can be shut: what comes meanwhile waits, and goes on in the order of coming. */
export interface Gate {
  set(state: 'open' | 'shut'): void;
  /** Does it now, or when the door opens. */
  through(act: () => void): void;
  /** Resolves when the door is open. */
  pass(): Promise<void>;
}

/** Starts open. What still waits when the owner goes is never done. */
export function createGate(): Gate {
  let isShut = false;
  let waiting: (() => void)[] = [];
  const through = (act: () => void): void => {
    if (isShut) waiting.push(act);
    else act();
  };
  return {
    set(state) {
      isShut = state === 'shut';
      if (isShut) return;
      const due = waiting;
      waiting = [];
      for (const act of due) act();
    },
    through,
    pass: () => new Promise((resolve) => through(resolve)),
  };
}
