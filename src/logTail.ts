/** The last lines of this process's log, and whoever follows them. */
export interface LogTail {
  /** Takes a finished line, with or without its line end. */
  write(line: string): void;
  /** What is kept, the oldest first. */
  lines(): readonly string[];
  /** Calls `hear` with each line from now on; returns what ends that. */
  follow(hear: (line: string) => void): () => void;
}

export interface LogTailOptions {
  /** Default 2,000. */
  readonly maxLines?: number;
  /** Default 2 MB, counted in characters: log lines are nearly all ASCII. */
  readonly maxBytes?: number;
}

/** Keeps the last lines, as many as fit both bounds. */
export function createLogTail({ maxLines = 2_000, maxBytes = 2_000_000 }: LogTailOptions = {}): LogTail {
  const kept: string[] = [];
  const followers = new Set<(line: string) => void>();
  let bytes = 0;
  return {
    write(written) {
      const line = written.endsWith('\n') ? written.slice(0, -1) : written;
      kept.push(line);
      bytes += line.length;
      while (kept.length > maxLines || bytes > maxBytes) bytes -= kept.shift()?.length ?? 0;
      for (const hear of followers) hear(line);
    },
    lines: () => [...kept],
    follow(hear) {
      followers.add(hear);
      return () => void followers.delete(hear);
    },
  };
}

export interface LineFilter {
  /** Pino's number of the lowest level that passes. */
  readonly level: number;
  /** A user's id, in lower case: only lines that name it. */
  readonly user?: string | undefined;
}

const LEVEL = /^\{"level":(\d+)/;

/** Whether a line passes. Looks at its text, which costs less than reading it: pino writes the level first, and an id is like nothing else. */
export function passes(line: string, { level, user }: LineFilter): boolean {
  const found = LEVEL.exec(line)?.[1];
  if (found !== undefined && Number(found) < level) return false;
  return user === undefined || line.toLowerCase().includes(user);
}
