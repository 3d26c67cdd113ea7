import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import { expect } from 'vitest';
import { createLog, type Log } from '../../src/log.js';
import type { Signal } from '../../src/streams/signal.js';

/** Runs a test in virtual time: one frame is one millisecond. */
export function drawTime(test: (helpers: RunHelpers) => void): void {
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(test);
}

/** A log whose lines a test can read. */
export function captureLog(): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: 'trace', destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) } });
  return { log, lines };
}

export const ANN = '11111111-1111-4111-8111-111111111111';
export const BOB = '22222222-2222-4222-8222-222222222222';

/** Signals by a letter, for marbles. */
export const SIGNALS = {
  a: { kind: 'user', authId: ANN, source: 'notify' },
  b: { kind: 'user', authId: BOB, source: 'notify' },
  u: { kind: 'user', authId: null, source: 'reconnect' },
  s: { kind: 'sweep', reason: 'interval', source: 'timer' },
  t: { kind: 'sweep', reason: 'start', source: 'start' },
  c: { kind: 'control', command: null, senderPid: null, source: 'reconnect' },
  d: { kind: 'control', command: null, senderPid: 9, source: 'control' },
  r: { kind: 'control', command: { name: 'resync' }, senderPid: 7, source: 'control' },
  A: { kind: 'control', command: { name: 'resync', authId: ANN }, senderPid: 7, source: 'control' },
  B: { kind: 'control', command: { name: 'resync', authId: BOB }, senderPid: 7, source: 'control' },
  p: { kind: 'control', command: { name: 'pause' }, senderPid: 7, source: 'control' },
  m: { kind: 'control', command: { name: 'resume' }, senderPid: 7, source: 'control' },
} as const satisfies Record<string, Signal>;
