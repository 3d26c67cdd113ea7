import { AppError } from '../../../src/errors.js';
import type { FaultPoint } from '../../../src/faultPoints.js';

/**
 * Where and how a process stops in the middle of its work: at the `nth` time (from 1) that it passes a named fault point, or, with
 * `any`, at the nth step of any kind: before and after each statement, commit and call of the access node.
 * - `crash`: nothing that it calls from there on returns; as a killed process.
 * - `freeze`: the same, until it is woken.
 * - `cut`: that one call fails as a broken connection does, whether it took effect or not.
 */
export interface Halt {
  readonly mode: 'crash' | 'freeze' | 'cut';
  readonly at: FaultPoint | 'any';
  readonly nth: number;
}

/** Every call of one process passes here. */
export interface Breakpoint {
  /** Runs one call, with a step before and after it. */
  call<T>(run: () => Promise<T>): Promise<T>;
  /** Says that something is under way that no {@link Breakpoint.call} is; what is returned ends it, once. */
  busy(): () => void;
  /** A step without a call. */
  step(): Promise<void>;
  /** A named fault point. */
  at(point: FaultPoint): Promise<void>;
  /** Plans a halt; null forgets the one planned. */
  plan(halt: Halt | null): void;
  /** Stops the process now, between two steps. */
  crash(): void;
  freeze(): void;
  wake(): void;
  state(): 'running' | 'frozen' | 'dead';
  /** Resolves when the process stops; each freeze and wake makes another one. */
  stopped(): Promise<void>;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
}

/** Turns of the event loop without a call after which a process counts as idle: what it still computes goes on in microtasks. */
const QUIET_TURNS = 3;
/** A call that hangs on a lock of its own frozen process is not waited for. */
const IDLE_LIMIT_MS = 200;

/** A process that runs. */
export function createBreakpoint(): Breakpoint {
  let state: 'running' | 'frozen' | 'dead' = 'running';
  let halt: Halt | null = null;
  let passed = 0;
  let active = 0;
  let onWake: () => void = () => undefined;
  let woken: Promise<void> = Promise.resolve();
  let onStop: () => void = () => undefined;
  let stopped = new Promise<void>((resolve) => (onStop = resolve));
  const never = new Promise<never>(() => undefined);

  const stop = (next: 'frozen' | 'dead'): void => {
    if (state === 'dead') return;
    if (next === 'frozen' && state === 'running') woken = new Promise((resolve) => (onWake = resolve));
    state = next;
    halt = null;
    onStop();
  };

  const pass = async (point: FaultPoint | null): Promise<void> => {
    if (state === 'running' && halt !== null && (halt.at === 'any' || halt.at === point) && ++passed >= halt.nth) {
      const { mode } = halt;
      if (mode === 'cut') {
        halt = null;
        throw new AppError('network', 'the connection was cut, as ordered', { where: 'property test' });
      }
      stop(mode === 'crash' ? 'dead' : 'frozen');
    }
    while (state === 'frozen') await woken;
    if (state === 'dead') await never;
  };

  const busy = (): (() => void) => {
    let ended = false;
    active += 1;
    return () => {
      if (!ended) active -= 1;
      ended = true;
    };
  };

  return {
    async call(run) {
      await pass(null);
      const end = busy();
      const settled = await run().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      end();
      await pass(null);
      if ('error' in settled) throw settled.error;
      return settled.value;
    },
    busy,
    step: () => pass(null),
    at: (point) => pass(point),
    plan(next) {
      halt = next;
      passed = 0;
    },
    crash: () => stop('dead'),
    freeze: () => stop('frozen'),
    wake() {
      if (state !== 'frozen') return;
      state = 'running';
      stopped = new Promise((resolve) => (onStop = resolve));
      onWake();
    },
    state: () => state,
    stopped: () => stopped,
    async idle() {
      const deadline = Date.now() + IDLE_LIMIT_MS;
      for (let quiet = 0; quiet < QUIET_TURNS && Date.now() < deadline; quiet = active === 0 ? quiet + 1 : 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
