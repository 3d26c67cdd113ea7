import type { Log } from '../log.js';

/**
 * What a source knows of itself.
 *
 * - `connecting`: the connection is being made, or is made and has not proved itself yet.
 * - `ok`: its own heartbeat or canary came back. Nothing less counts: a LISTEN can die, and a channel say SUBSCRIBED, without a word.
 * - `mute`: connected, but the proof did not come back, or could not be sent. Stays until the next proof, also while joining again.
 * - `down`: no connection. Stays until the next connection.
 */
export type SourceState = 'connecting' | 'ok' | 'mute' | 'down';

export interface SourceHealth {
  readonly state: SourceState;
  /** When this state began. */
  readonly since: Date;
  /** Why it is so, for a person; null when all is well. */
  readonly reason: string | null;
}

export type OnHealth = (health: SourceHealth) => void;

/** Passes on changes of state, or of its reason; a listener that throws is logged and harms nothing. */
export function createHealthReporter(log: Log, onHealth: OnHealth | undefined, now: () => number): (state: SourceState, reason?: string) => void {
  let current: SourceHealth | null = null;
  return (state, reason) => {
    if (current?.state === state && current.reason === (reason ?? null)) return;
    const since = current?.state === state ? current.since : new Date(now());
    current = { state, since, reason: reason ?? null };
    try {
      onHealth?.(current);
    } catch (error) {
      log.error({ err: error }, 'health listener failed');
    }
  };
}
