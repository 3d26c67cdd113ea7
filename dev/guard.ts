import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Reads process ids, one a line, from a pipe that only this process holds open. When the pipe closes without `done`, the
 * parent is gone, however it went (SIGKILL too): the last process is ended and the folder removed.
 */
const WATCH = `
pid=
while read -r line; do
  if [ "$line" = done ]; then exit 0; fi
  pid=$line
done
if [ -n "$pid" ]; then
  kill -s "$1" "$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf "$2"
`;

export interface GuardOptions {
  /** Removed when this process is gone. */
  readonly folder: string;
  /** Sent to the watched process when this process is gone, without "SIG"; SIGKILL follows after 5 s. Default INT. */
  readonly signal?: string;
}

export interface Guard {
  /** Names the process to end; a later call replaces the earlier. */
  watch(pid: number): void;
  /** Ends the guard: its owner has cleaned up by itself. */
  release(): void;
}

/**
 * Starts a small shell in its own process group that outlives this process just long enough to clean up after it. Children in
 * their own group do not get a terminal's Ctrl-C, so that a daemon can finish its work on a database that is still there.
 */
export function startGuard(options: GuardOptions): Guard {
  const shell = spawn('sh', ['-c', WATCH, 'guard', options.signal ?? 'INT', options.folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const input = shell.stdin as Socket;
  // Without the shell nothing is guarded but everything works: no reason to fail.
  shell.on('error', () => undefined);
  input.on('error', () => undefined);
  shell.unref();
  input.unref();
  return {
    watch: (pid) => void input.write(`${pid}\n`),
    release: () => void input.end('done\n'),
  };
}
