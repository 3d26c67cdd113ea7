const WIDTH = 30;

/** A bar on the terminal with what is done now; without a terminal, a line for each new step. */
export interface Progress {
  /** `done` is 0 to 1; left out where it isn't known. `detail` is what changes while the step lasts. */
  say(step: string, done?: number, detail?: string): void;
  end(): void;
}

export function startProgress(): Progress {
  const isTerminal = process.stderr.isTTY;
  let last = '';
  return {
    say(step, done, detail) {
      if (!isTerminal) {
        if (step !== last) process.stderr.write(`${step}\n`);
        last = step;
        return;
      }
      const share = Math.min(1, Math.max(0, done ?? 0));
      const filled = Math.round(share * WIDTH);
      const bar = done === undefined ? '' : `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${(share * 100).toFixed(0).padStart(3)} % `;
      process.stderr.write(`\r\x1b[K${bar}${step}${detail === undefined ? '' : `: ${detail}`}`);
    },
    end: () => void (isTerminal && process.stderr.write('\r\x1b[K')),
  };
}
