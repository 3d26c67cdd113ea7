import { Observable, Subscriber, type Observer, type Operator, type Subscription, type TeardownLogic } from 'rxjs';

type Next<T> = (value: T) => void;

/**
 * An Observable whose last subscriber may throw. rxjs throws that again in a turn of its own, where nothing can catch it and the process
 * ends; here it is told to `onThrown`, once for each subscription, and later values are still delivered.
 */
export class GuardedEvents<T> extends Observable<T> {
  readonly #onThrown: (error: unknown) => void;

  constructor(onThrown: (error: unknown) => void, connect?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(connect);
    this.#onThrown = onThrown;
  }

  /** What `pipe` makes of it is guarded too: the subscriber is at the end of the pipe. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const piped = new GuardedEvents<R>(this.#onThrown);
    Object.assign(piped, { source: this, operator });
    return piped;
  }

  override subscribe(observerOrNext?: Partial<Observer<T>> | Next<T> | null): Subscription {
    // An operator's own subscriber takes care of its errors.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer: Partial<Observer<T>> = typeof observerOrNext === 'function' ? { next: observerOrNext } : (observerOrNext ?? {});
    let hasThrown = false;
    const report = (error: unknown): void => {
      if (hasThrown) return;
      hasThrown = true;
      this.#onThrown(error);
    };
    return super.subscribe({
      next: (value) => {
        try {
          observer.next?.(value);
        } catch (error) {
          report(error);
        }
      },
      error: (error: unknown) => (observer.error === undefined ? report(error) : observer.error(error)),
      complete: () => observer.complete?.(),
    });
  }
}
