import { afterEach, describe, expect, it, vi } from 'vitest';
import { onStopSignals } from '../src/shutdown.js';

type StopSignal = 'SIGTERM' | 'SIGINT';

/** Hears what is registered in place of the process, and how it would exit: no signal reaches the test runner. */
function watch(): { stopped: Promise<NodeJS.Signals>; send: (signal: StopSignal) => void; exits: number[] } {
  const handlers = new Map<string, () => void>();
  const exits: number[] = [];
  vi.spyOn(process, 'on').mockImplementation(((name: string, handler: () => void) => {
    handlers.set(name, handler);
    return process;
  }) as typeof process.on);
  vi.spyOn(process, 'exit').mockImplementation(((code: number) => {
    exits.push(code);
  }) as typeof process.exit);
  const stopped = onStopSignals();
  return { stopped, send: (signal) => handlers.get(signal)!(), exits };
}

afterEach(() => vi.restoreAllMocks());

describe('a stop signal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s is told and does not exit', async (signal) => {
    const { stopped, send, exits } = watch();
    send(signal);
    expect(await stopped).toBe(signal);
    expect(exits).toEqual([]);
  });

  it.each([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
  ] as const)('%s, then %s, exits at once with status %i', async (first, second, status) => {
    const { stopped, send, exits } = watch();
    send(first);
    send(second);
    expect(await stopped).toBe(first);
    expect(exits).toEqual([status]);
  });
});
