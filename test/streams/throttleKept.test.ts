import { Subject, of, range, take, throttleTime } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { throttleKept } from '../../src/streams/throttleKept.js';
import { drawTime } from './marbles.js';

const kept = () => throttleKept<string>({ windowMs: 5 });

describe('throttleKept', () => {
  it('never: never', () => {
    drawTime(({ hot, expectObservable, expectSubscriptions }) => {
      const source = hot('-');
      expectObservable(source.pipe(kept()), '^---!').toBe('-');
      expectSubscriptions(source.subscriptions).toBe('^---!');
    });
  });

  it('empty: completes at once', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(cold('|').pipe(kept())).toBe('|'));
  });

  it('one: goes at once and delays nothing', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(cold('-a-|').pipe(kept())).toBe('-a-|'));
  });

  it('many: the first at once, one a window, always the last', () => {
    drawTime(({ hot, expectObservable }) => {
      expectObservable(hot('     -abcd-------ef---------g--').pipe(kept()), '^------------------------!').toBe(
        // a's window ends at 6 with d, d's at 11 with nothing; e opens another, which ends with f, whose own ends before g.
        '                        -a----d-----e----f-----g',
      );
    });
  });

  it('the last is kept when the source completes while it is held', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(cold('ab|').pipe(kept())).toBe('a----(b|)'));
  });

  it('error: the held value goes out first, where throttleTime loses it', () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(cold('ab#').pipe(kept())).toBe('a-(b#)');
      expectObservable(cold('ab#').pipe(throttleTime(5, undefined, { leading: true, trailing: true }))).toBe('a-#');
    });
  });

  it('error with nothing held: goes through', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(cold('a-#').pipe(kept())).toBe('a-#'));
  });

  it('a value that arrives while the first is handed out is held, where throttleTime lets it through', () => {
    const emitted = (throttled: (source: Subject<string>) => { subscribe(next: (value: string) => void): { unsubscribe(): void } }): string[] => {
      const source = new Subject<string>();
      const seen: string[] = [];
      const subscription = throttled(source).subscribe((value) => {
        seen.push(value);
        if (value === 'a') source.next('b');
      });
      source.next('a');
      subscription.unsubscribe();
      return seen;
    };
    expect(emitted((source) => source.pipe(throttleKept({ windowMs: 5 })))).toEqual(['a']);
    expect(emitted((source) => source.pipe(throttleTime(5, undefined, { leading: true, trailing: true })))).toEqual(['a', 'b']);
  });

  it('keys do not wait for each other, and a null key is never held', () => {
    drawTime(({ cold, expectObservable }) => {
      const byKey = throttleKept<string>({ windowMs: 5, keyOf: (value) => (value === 'p' ? null : value) });
      expectObservable(cold('abpapb---|').pipe(byKey)).toBe('abp-pab--|');
    });
  });

  it('callback throws: the held value goes out, then the error', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('aabx-');
      const throwing = throttleKept<string>({
        windowMs: 9,
        keyOf: (value) => {
          if (value === 'x') throw 'error';
          return value;
        },
      });
      expectObservable(source.pipe(throwing)).toBe('a-b(a#)');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  it('early disposal: stops the source and the window', () => {
    drawTime(({ hot, expectObservable, expectSubscriptions }) => {
      const source = hot('ab------c');
      expectObservable(source.pipe(kept()), '^--!').toBe('a--');
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  it('resubscribe: each subscription has windows of its own', () => {
    drawTime(({ cold, expectObservable }) => {
      const throttled = cold('a|').pipe(kept());
      expectObservable(throttled).toBe('a|');
      expectObservable(throttled, '--^').toBe('--a|');
    });
  });

  it('values that come while subscribing are throttled too', () => {
    drawTime(({ expectObservable }) => {
      expectObservable(of('a', 'b', 'c').pipe(kept())).toBe('a----(c|)');
      expectObservable(range(1, 3).pipe(throttleKept({ windowMs: 5 }), take(1))).toBe('(a|)', { a: 1 });
    });
  });
});
