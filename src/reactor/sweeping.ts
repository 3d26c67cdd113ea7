import type { Control } from '../handlers/control.js';
import type { TransactionFollower } from '../handlers/followTransactions.js';
import type { Instance } from '../handlers/instance.js';
import { createScriptSize } from '../handlers/sweep/scriptSize.js';
import { createSoundKeys } from '../handlers/sweep/soundKeys.js';
import { sweep } from '../handlers/sweep/sweep.js';
import type { SweepSignal } from '../streams/merge.js';
import { openUsers } from '../users/openUsers.js';
import type { Delayed } from './delayed.js';

const RESYNC = 'resync';
/** A sweep that found another one under way, and has to follow it. */
const AGAIN_MS = 5_000;
/** One that was broken off: what did it may be over by then. */
const RESUME_MS = 30_000;

export interface SweepingOptions {
  readonly control: Control;
  readonly follower: TransactionFollower;
  readonly mayWork: () => boolean;
  readonly stopping: AbortSignal;
  readonly delayed: Delayed;
  /** Called where a sweep is to follow: its signal comes back through {@link Sweeping.run}. */
  readonly askFor: (signal: SweepSignal) => void;
  /** Called as the first page of a sweep may be read. */
  readonly onBegun: () => void;
  /** Called where it has made users' rows, who then wait. */
  readonly onRowsMade: () => void;
  readonly exportConfig: () => Promise<void>;
}

export interface Sweeping {
  /** A resync of all was asked for: kept until a sweep has done it. */
  askForResync(): void;
  /** One sweep, unless paused. Throws what broke it off; it is then resumed by itself. */
  run(signal: SweepSignal): Promise<void>;
  /** Resolves when none is under way: a stop waits for its page to end. */
  settled(): Promise<void>;
}

/** When a sweep is made, and made again: one that another instance's sweep came before, and one that was broken off. */
export function createSweeping(instance: Instance, options: SweepingOptions): Sweeping {
  const { control, delayed, stopping } = options;
  const size = createScriptSize();
  const soundKeys = createSoundKeys();
  let isResyncAsked = false;
  let underWay: Promise<void> = Promise.resolve();

  return {
    askForResync() {
      isResyncAsked = true;
      options.askFor({ kind: 'sweep', reason: RESYNC, source: 'control' });
    },

    async run(signal) {
      if (stopping.aborted) return;
      await control.read();
      if (control.isPaused()) return;
      options.onBegun();
      let isOpen = false;
      const isResync = isResyncAsked;
      isResyncAsked = false;
      const pass = sweep(instance, {
        reason: isResync ? RESYNC : signal.reason,
        // Who asks for a resync wants all users looked at from now on.
        resumes: !isResync,
        signal: stopping,
        follower: options.follower,
        mayWork: options.mayWork,
        onOpened: () => void (isOpen = true),
        openUsers: () => openUsers(instance),
        size,
        soundKeys,
        exportConfig: options.exportConfig,
        onRowsMade: options.onRowsMade,
      });
      underWay = pass.then(
        () => undefined,
        () => undefined,
      );
      try {
        // Another instance sweeps and may be past the user this was asked for: once more when it has ended.
        if ((await pass) === null && isResync) {
          isResyncAsked = true;
          // At a time of its own: two that began together would meet each time.
          delayed.after(AGAIN_MS * (0.5 + Math.random()), () => options.askFor(signal));
        }
      } catch (thrown) {
        // Once its record is open, the resync's own sweep is resumed.
        isResyncAsked ||= isResync && !isOpen;
        delayed.after(RESUME_MS, () => options.askFor({ ...signal, reason: 'resumed' }));
        throw thrown;
      }
    },

    settled: () => underWay,
  };
}
