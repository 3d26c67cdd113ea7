import type { AppError } from '../errors.js';
import { retryDelayMs } from './retryPolicy.js';

/** So many accounts that failed standing alone, one after the other: the cause may meet all, and each further attempt waits. */
const ALONE_IN_A_ROW = 2;

export interface Pace {
  /** Before this (milliseconds since 1970) no creation is started. */
  notBefore(): number;
  /** One sealed: whatever was wrong is over. */
  noteSuccess(): void;
  /** One failed, or could not be started, for a reason that no member causes. Returns the pause in milliseconds. */
  noteFailure(error: AppError): number;
  /** One account failed standing alone. */
  noteAlone(error: AppError): void;
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
    noteAlone(error) {
      if (++alone >= ALONE_IN_A_ROW) pause(error);
    },
  };
}
