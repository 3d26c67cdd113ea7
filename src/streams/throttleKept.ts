import { Observable, asyncScheduler, timer, type MonoTypeOperatorFunction, type SchedulerLike } from 'rxjs';

export interface ThrottleKeptOptions<T> {
  /** At most one value per key in so many milliseconds. */
  readonly windowMs: number;
  /** Values with different keys do not wait for each other; a value whose key is null is never held. Default: one key for all. */
  readonly keyOf?: (value: T) => string | null;
  readonly scheduler?: SchedulerLike;
}

/**
 * At most one value per window and key: the first at once, the last never lost; what lies between is dropped.
 *
 * rxjs has `throttleTime(…, { leading: true, trailing: true })`. Of 7.8.2 (read and tested) it loses the held value when the source errors,
 * and lets a value that arrives while the first is still being handed out through at once, since it opens its window only afterwards.
 *
 * On completion the held values still come, each at its window's end. An error, of the source or thrown by `keyOf`, lets them out at once and follows them.
 */
export function throttleKept<T>({ windowMs, keyOf = () => '', scheduler = asyncScheduler }: ThrottleKeptOptions<T>): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable<T>((subscriber) => {
      /** The open windows, and what each holds. A key is gone when its window ends with nothing held, so unknown keys do not pile up. */
      const windows = new Map<string, { held: { readonly value: T } | null }>();
      let isComplete = false;

      const openWindow = (key: string): void => {
        const window: { held: { readonly value: T } | null } = { held: null };
        windows.set(key, window);
        subscriber.add(
          timer(windowMs, scheduler).subscribe(() => {
            windows.delete(key);
            if (window.held !== null) {
              // The last of a completed source needs no window after it: nothing can follow.
              if (!isComplete) openWindow(key);
              subscriber.next(window.held.value);
            }
            if (isComplete && windows.size === 0) subscriber.complete();
          }),
        );
      };

      const fail = (error: unknown): void => {
        const held = [...windows.values()].flatMap((window) => (window.held === null ? [] : [window.held.value]));
        windows.clear();
        for (const value of held) subscriber.next(value);
        subscriber.error(error);
      };

      const upstream = source.subscribe({
        next: (value) => {
          if (subscriber.closed) return;
          let key: string | null;
          try {
            key = keyOf(value);
          } catch (error) {
            fail(error);
            return;
          }
          const window = key === null ? undefined : windows.get(key);
          if (window !== undefined) {
            window.held = { value };
            return;
          }
          // Opened before the value goes out, so that one that arrives meanwhile is held.
          if (key !== null) openWindow(key);
          subscriber.next(value);
        },
        error: fail,
        complete: () => {
          isComplete = true;
          for (const [key, window] of windows) if (window.held === null) windows.delete(key);
          if (windows.size === 0) subscriber.complete();
        },
      });
      subscriber.add(upstream);
    });
}
