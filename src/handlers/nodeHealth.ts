import { AppError } from '../errors.js';
import type { CallWatch } from '../flow/rest.js';
import type { Log } from '../log.js';

export interface NodeHealth {
  readonly state: 'unknown' | 'ok' | 'down';
  readonly reason: string | null;
  /** ISO time of the last change. */
  readonly since: string;
}

/** So many calls in a row without an answer, and the node counts as down: one alone is what networks do. */
const SILENT_CALLS = 3;
/** A call that waits for so long while no other is answered says the same: a frozen node's calls end only with their time-out. */
const SILENT_MS = 3_000;

export interface NodeWatch {
  /** For the access node's calls. */
  readonly watch: CallWatch;
  /** Calls that are cut off from now on say nothing about the node. */
  end(): void;
}

/** Tells from an access node's calls how it is. `onHealth` is told of each change. */
export function createNodeHealth(options: { readonly log: Log; readonly onHealth: (health: NodeHealth) => void }): NodeWatch {
  let ended = false;
  let state: NodeHealth['state'] = 'unknown';
  let silent = 0;
  let answeredAt = 0;
  const become = (next: NodeHealth['state'], reason: string | null): void => {
    if (state === next || ended) return;
    if (next === 'down' || state === 'down') options.log[next === 'down' ? 'warn' : 'info']({ state: next, reason }, 'access node health');
    state = next;
    options.onHealth({ state, reason, since: new Date().toISOString() });
  };
  const noteAnswer = (): void => {
    silent = 0;
    answeredAt = performance.now();
    become('ok', null);
  };
  const watch: CallWatch = async (call) => {
    const askedAt = performance.now();
    const impatience = setTimeout(() => answeredAt <= askedAt && become('down', `no answer for ${SILENT_MS / 1_000} s`), SILENT_MS);
    impatience.unref();
    try {
      const answer = await call();
      noteAnswer();
      return answer;
    } catch (thrown) {
      // Any other error is an answer.
      const isSilence = thrown instanceof AppError && (thrown.kind === 'network' || thrown.kind === 'rate-limit');
      if (!isSilence) noteAnswer();
      else if (++silent >= SILENT_CALLS) become('down', thrown.message);
      throw thrown;
    } finally {
      clearTimeout(impatience);
    }
  };
  return { watch, end: () => void (ended = true) };
}
