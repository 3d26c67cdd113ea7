export interface Screen {
  /** Replaces what is shown; where that cannot be, writes it below. */
  show(text: string): void;
  /** Gives the terminal back, with what was shown last. */
  stop(): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_TO_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** What goes to standard output again and again. In place: on a screen of its own, each text in one write over the one before, so that nothing flickers. */
export function startScreen({ inPlace }: { readonly inPlace: boolean }): Screen {
  const { stdout } = process;
  if (!inPlace) {
    let isFirst = true;
    return {
      show(text) {
        // A blank line between blocks; single lines need none.
        stdout.write(`${!isFirst && text.includes('\n') ? '\n' : ''}${text}\n`);
        isFirst = false;
      },
      stop: () => undefined,
    };
  }
  let last = '';
  const draw = (): void => {
    const lines = fit(last, stdout.columns, stdout.rows);
    stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_TO_LINE_END}`).join('\n')}${CLEAR_BELOW}`);
  };
  stdout.write(ENTER);
  stdout.on('resize', draw);
  return {
    show(text) {
      last = text;
      draw();
    },
    stop() {
      stdout.off('resize', draw);
      stdout.write(`${LEAVE}${last}\n`);
    },
  };
}

/** The lines that fit: a longer one would wrap, and move all below it. */
export function fit(text: string, columns: number, rows: number): string[] {
  const lines = text.split('\n').map((line) => (line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`));
  return lines.length <= rows ? lines : [...lines.slice(0, Math.max(0, rows - 1)), '…'];
}
