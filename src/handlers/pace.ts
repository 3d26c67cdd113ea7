import type { AppError } from '../errors.js';
import { retryDelayMs } from './retryPolicy.js';

/** So many accounts that failed standing alone, one after the other, and it is not their fault: the cause meets all. */
const ALONE_IN_A_ROW = 2;

export interface Pace {
  /** Before this (milliseconds since 1970) no creation is started. */
  notBefore(): number;
  /** One sealed: whatever was wrong is over. */
  noteSuccess(): void;
  /** One failed, or could not be started, for a reason that no member causes. Returns the pause in milliseconds. */
  noteFailure(error: AppError): number;
  /** One account failed standing alone. False where it is not to blame, because others before it met the same. */
  isToBlame(error: AppError): boolean;
}

/** How soon the next creation may start: a cause that meets every transaction must cost one attempt a pause, not one a block. */
export function createPace(now: () => number): Pace {
  let failures = 0;
  let alone = 0;
  let notBefore = 0;
  const pause = (error: AppError): number => {
    const delayMs = retryDelayMs(error, ++failures);
    notBefore = Math.max(notBefore, now() + delayMs);
    return delayMs;
  };
  return {
    notBefore: () => notBefore,
    noteSuccess() {
      failures = alone = notBefore = 0;
    },
    noteFailure: pause,
    isToBlame(error) {
      if (++alone < ALONE_IN_A_ROW) return true;
      pause(error);
      return false;
    },
  };
}
