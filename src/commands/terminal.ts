import { createInterface } from 'node:readline';

/** Whether a person sits there: who can be asked, and sees a line that changes. */
export const isTerminal = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks on the terminal, where there is one, and takes only y or yes for yes; Ctrl-C and Ctrl-D are no. Without a terminal nobody is asked: true. */
export async function confirm(question: string): Promise<boolean> {
  return !isTerminal() || /^y(es)?$/i.test((await ask(`${question} [y/N] `)) ?? '');
}

/** What a person types on the terminal, trimmed; null for Ctrl-C and Ctrl-D. */
export async function ask(question: string): Promise<string | null> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string | null>((resolve) => {
      lines.once('SIGINT', () => lines.close());
      lines.once('close', () => resolve(null));
      lines.question(question, resolve);
    });
    if (answer === null) process.stderr.write('\n');
    return answer?.trim() ?? null;
  } finally {
    lines.close();
  }
}

export interface Spinner {
  /** What is waited for. */
  say(text: string): void;
  /** Removes the line. */
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;

/** A line on the terminal that turns, with the seconds that have gone by, while something is waited for. Without a terminal: nothing. */
export function startSpinner(): Spinner {
  if (!process.stderr.isTTY) return { say: () => undefined, stop: () => undefined };
  const startedAt = Date.now();
  let text = '';
  let frame = 0;
  let stopped = false;
  const draw = (): void => {
    if (stopped || text === '') return;
    frame = (frame + 1) % FRAMES.length;
    process.stderr.write(`\r\x1b[K${FRAMES[frame] ?? ''} ${text} (${Math.round((Date.now() - startedAt) / 1_000)} s)`);
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    say(now) {
      if (now === text) return;
      text = now;
      draw();
    },
    stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}
