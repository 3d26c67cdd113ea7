/** Shows how far something has come: a bar that moves on a terminal, a line now and then elsewhere. On standard error. */
export interface Progress {
  /** So many are done, of so many (null: not known). */
  show(done: number, of: number | null): void;
  /** Writes something else above the bar. */
  write(text: string): void;
  /** Removes the bar. */
  stop(): void;
}

const WIDTH = 24;
/** A terminal's bar is drawn so often at most, a line elsewhere so often. */
const DRAW_MS = 100;
const LINE_MS = 10_000;

export interface ProgressOptions {
  /** What is counted. */
  readonly unit: string;
  readonly out?: { readonly isTTY?: boolean; write(text: string): unknown };
  readonly now?: () => number;
}

/** Begins now: the rate counts from here. */
export function startProgress(options: ProgressOptions): Progress {
  const out = options.out ?? process.stderr;
  const now = options.now ?? Date.now;
  const isTerminal = out.isTTY === true;
  const startedAt = now();
  let shownAt = -Infinity;
  let first: number | null = null;
  let line = '';
  const clear = isTerminal ? '\r\x1b[K' : '';

  return {
    show(done, of) {
      first ??= done;
      const at = now();
      if (at - shownAt < (isTerminal ? DRAW_MS : LINE_MS) && done !== of) return;
      shownAt = at;
      line = toLine(options.unit, done, of, (done - first) / Math.max(0.001, (at - startedAt) / 1_000), isTerminal);
      out.write(isTerminal ? `${clear}${line}` : `${line}\n`);
    },
    write(text) {
      out.write(`${clear}${text}`);
      if (isTerminal && line !== '') out.write(line);
    },
    stop() {
      if (line !== '') out.write(clear);
      line = '';
    },
  };
}

function toLine(unit: string, done: number, of: number | null, rate: number, isTerminal: boolean): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  // Before the second page there is none.
  const perSecond = rate > 0 ? `, ${count(Math.round(rate))}/s` : '';
  if (of === null || of === 0) return `${count(done)} ${unit}${perSecond}`;
  // Who arrives meanwhile was not counted.
  const share = Math.min(1, done / of);
  const bar = isTerminal ? `[${'█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░')}] ` : '';
  const left = rate > 0 && share < 1 ? `, ${duration((of - done) / rate)} left` : '';
  return `${bar}${Math.floor(share * 100)} %, ${count(done)} of ${count(of)} ${unit}${perSecond}${left}`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3_600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}
