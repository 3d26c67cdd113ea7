import { Observable, from, type ObservableInput, type OperatorFunction } from 'rxjs';

export interface CoalesceOptions<T, R> {
  /** Items with the same key ask for the same work. */
  readonly keyOf: (item: T) => string;
  /** Does the work for a batch; subscribed to once. It is never empty, its keys are distinct, in order of first arrival. */
  readonly work: (batch: readonly T[]) => ObservableInput<R>;
  /**
   * What stands for all that wait, once more than `most` keys do: anybody who may send NOTIFY can name a new key each time, and what waits lies in memory. Without it
   * there is no bound.
   */
  readonly overflow?: { readonly most: number; readonly item: T };
  /** Told of work that failed and the items it was for, and of an item whose key could not be told. What it throws ends the stream. */
  readonly onError: (error: unknown, batch: readonly T[]) => void;
}

/**
 * Runs one piece of work at a time and collects what arrives meanwhile: the law of a work queue for level-triggered work.
 *
 * - An item that arrives while nothing runs is handed out at once, alone.
 * - Items that arrive while work runs are handed out as one batch when it ends; doubles collapse to the first seen.
 * - An item that arrives while work for its own key runs leads to one more run: that work may have looked before the change.
 *   (`groupBy` + `exhaustMap` loses such an item; a test shows it.)
 * - Work that fails, or a callback that throws, goes to `onError`; the items are not tried again here, and the stream lives on.
 * - Work survives the end of the source: it belongs to the output's subscriber, and the end (or the source's error) follows the last work.
 *
 * Emits what the work emits.
 */
export function coalesceWhileBusy<T, R>({ keyOf, work, onError, overflow }: CoalesceOptions<T, R>): OperatorFunction<T, R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      /** What waits for the running work to end, by key. */
      let waiting = new Map<string, T>();
      /** What waits is `overflow.item` alone, which stands for whatever arrives. */
      let isFull = false;
      /** Work is running, or the loop below is about to start more. */
      let isBusy = false;
      /** Set when the source has ended: what the output does after the last work. */
      let end: (() => void) | null = null;

      const reportError = (error: unknown, batch: readonly T[]): void => {
        try {
          onError(error, batch);
        } catch (thrown) {
          subscriber.error(thrown);
        }
      };

      const startWork = (batch: readonly T[], onEnd: () => void): void => {
        let inner: Observable<R>;
        try {
          inner = from(work(batch));
        } catch (error) {
          reportError(error, batch);
          onEnd();
          return;
        }
        subscriber.add(
          inner.subscribe({
            next: (result) => subscriber.next(result),
            error: (error: unknown) => {
              reportError(error, batch);
              onEnd();
            },
            complete: onEnd,
          }),
        );
      };

      /** Works until nothing waits. A loop, not a recursion: work that ends at once must not deepen the stack. */
      const drain = (): void => {
        isBusy = true;
        while (waiting.size > 0 && !subscriber.closed) {
          const batch = [...waiting.values()];
          waiting = new Map();
          isFull = false;
          let hasEnded = false;
          let isStarting = true;
          startWork(batch, () => {
            hasEnded = true;
            if (!isStarting) drain();
          });
          isStarting = false;
          if (!hasEnded) return;
        }
        isBusy = false;
        end?.();
      };

      subscriber.add(
        source.subscribe({
          next: (item) => {
            if (subscriber.closed) return;
            let key: string;
            try {
              key = keyOf(item);
            } catch (error) {
              reportError(error, [item]);
              return;
            }
            if (!isFull && !waiting.has(key)) waiting.set(key, item);
            if (overflow !== undefined && waiting.size > overflow.most) {
              waiting = new Map([['', overflow.item]]);
              isFull = true;
            }
            if (!isBusy) drain();
          },
          error: (error: unknown) => {
            end = () => subscriber.error(error);
            if (!isBusy) end();
          },
          complete: () => {
            end = () => subscriber.complete();
            if (!isBusy) end();
          },
        }),
      );
    });
}
