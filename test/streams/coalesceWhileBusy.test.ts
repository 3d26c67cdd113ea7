import { Observable, exhaustMap, groupBy, map, mergeMap, of, type ObservableInput } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { coalesceWhileBusy } from '../../src/streams/coalesceWhileBusy.js';
import { drawTime } from './marbles.js';

/** Collapses by letter in lower case: a and A are doubles. Emits each batch as joined text when its work begins. */
function coalesce(work: (batch: readonly string[]) => ObservableInput<string>, onError: (error: unknown, batch: readonly string[]) => void = (error) => expect.fail(String(error))) {
  return coalesceWhileBusy<string, string>({ keyOf: (item) => item.toLowerCase(), work, onError });
}

describe('coalesceWhileBusy', () => {
  it('never: never', () => {
    drawTime(({ hot, expectObservable, expectSubscriptions }) => {
      const source = hot('-');
      expectObservable(source.pipe(coalesce((batch) => of(batch.join('')))), '^---!').toBe('-');
      expectSubscriptions(source.subscriptions).toBe('^---!');
    });
  });

  it('empty: completes at once', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(cold('|').pipe(coalesce(() => of('x')))).toBe('|'));
  });

  it('one: is handed out at once, alone', () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(cold('-a|').pipe(coalesce((batch) => cold('--x|').pipe(map((x) => batch.join('') + x))))).toBe('---r|', { r: 'ax' });
    });
  });

  it('many: what arrives while work runs is one batch when it ends, doubles collapsed to the first seen, in order', () => {
    drawTime(({ hot, cold, expectObservable }) => {
      const out$ = hot('-abcBbC-----d-').pipe(coalesce((batch) => cold('r----|').pipe(map(() => batch.join('')))));
      expectObservable(out$, '^------------------!').toBe('-x----y-----z', { x: 'a', y: 'bc', z: 'd' });
    });
  });

  it('a change that arrives while its key is running leads to one more run', () => {
    drawTime(({ hot, cold, expectObservable }) => {
      const source = hot('-a-aa-----');
      expectObservable(source.pipe(coalesce((batch) => cold('r----|').pipe(map(() => batch.join(''))))), '^------------!').toBe('-a----a');
    });
  });

  it('groupBy + exhaustMap would lose that change', () => {
    drawTime(({ hot, cold, expectObservable }) => {
      const source = hot('-a-aa-----');
      const rejected$ = source.pipe(
        groupBy((item) => item),
        mergeMap((group) => group.pipe(exhaustMap((item) => cold('r----|').pipe(map(() => item))))),
      );
      expectObservable(rejected$, '^------------!').toBe('-a');
    });
  });

  it('work is never run twice at once', () => {
    drawTime(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const work = cold('---r|');
      expectObservable(hot('abcdefgh').pipe(coalesce(() => work)), '^-------------!').toBe('---r---r---r');
      expectSubscriptions(work.subscriptions).toBe(['^---!', '----^---!', '--------^---!']);
    });
  });

  it('work survives the completion of the source, and so does what waits', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const work = cold('---r|');
      expectObservable(cold('ab|').pipe(coalesce(() => work))).toBe('---r---r|');
      expectSubscriptions(work.subscriptions).toBe(['^---!', '----^---!']);
    });
  });

  it("source's error: follows the last work", () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(cold('ab#').pipe(coalesce(() => cold('---r|')))).toBe('---r---r#');
      expectObservable(cold('a---#').pipe(coalesce(() => cold('r|')))).toBe('r---#');
    });
  });

  it('work that fails, or throws instead of beginning, is told with its batch and does not end the stream', () => {
    drawTime(({ hot, cold, expectObservable, flush }) => {
      const told: string[] = [];
      const out$ = hot('-abc-----d---|').pipe(
        coalesce(
          (batch) => {
            if (batch.includes('b')) throw 'thrown';
            return batch.includes('a') ? cold('--#') : cold('r|');
          },
          (error, batch) => told.push(`${String(error)}:${batch.join('')}`),
        ),
      );
      expectObservable(out$).toBe('---------r---|');
      flush();
      expect(told).toEqual(['error:a', 'thrown:bc']);
    });
  });

  it('callback throws: an item whose key cannot be told is told and dropped; the others go on', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const told: string[] = [];
      const out$ = cold('axb|').pipe(
        coalesceWhileBusy<string, string>({
          keyOf: (item) => {
            if (item === 'x') throw new Error('no key');
            return item;
          },
          work: (batch) => of(batch.join('')),
          onError: (error, batch) => told.push(`${String(error)}:${batch.join('')}`),
        }),
      );
      expectObservable(out$).toBe('a-b|');
      flush();
      expect(told).toEqual(['Error: no key:x']);
    });
  });

  it('callback throws: what onError throws ends the stream', () => {
    drawTime(({ cold, expectObservable }) => {
      const out$ = cold('a-b|').pipe(
        coalesce(
          () => cold('-#'),
          () => {
            throw 'error';
          },
        ),
      );
      expectObservable(out$).toBe('-#');
    });
  });

  it('early disposal: stops the source and the running work', () => {
    drawTime(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source = hot('ab----');
      const work = cold('-------r|');
      expectObservable(source.pipe(coalesce(() => work)), '^--!').toBe('---');
      expectSubscriptions(source.subscriptions).toBe('^--!');
      expectSubscriptions(work.subscriptions).toBe('^--!');
    });
  });

  it('resubscribe: each subscription has a queue of its own', () => {
    drawTime(({ cold, expectObservable }) => {
      const out$ = cold('ab|').pipe(coalesce((batch) => cold('---r|').pipe(map(() => batch.join('')))));
      expectObservable(out$).toBe('---a---b|');
      expectObservable(out$, '--^').toBe('-----a---b|');
    });
  });

  it('a hundred thousand items whose work ends at once neither deepen the stack nor get lost', () => {
    let runs = 0;
    const items$ = new Observable<string>((subscriber) => {
      for (let i = 0; i < 100_000; i += 1) subscriber.next(String(i));
      subscriber.complete();
    });
    items$.pipe(coalesce((batch) => of(String((runs += batch.length))))).subscribe();
    expect(runs).toBe(100_000);
  });

  it('an item that work itself causes leads to another run, without deepening the stack', () => {
    let ring: (item: string) => void = () => undefined;
    let runs = 0;
    const source$ = new Observable<string>((subscriber) => {
      ring = (item) => subscriber.next(item);
    });
    const subscription = source$
      .pipe(
        coalesce(() => {
          runs += 1;
          if (runs < 50_000) ring('a');
          return of('r');
        }),
      )
      .subscribe();
    ring('a');
    subscription.unsubscribe();
    expect(runs).toBe(50_000);
  });
});
