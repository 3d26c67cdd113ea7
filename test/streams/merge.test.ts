import { EMPTY, NEVER, Observable, merge as rxMerge, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { mergeSources, type MergeOptions, type NamedSource } from '../../src/streams/merge.js';
import type { Signal } from '../../src/streams/signal.js';
import { createStartSource } from '../../src/streams/startSource.js';
import { SIGNALS, captureLog, drawTime } from './marbles.js';

function mergeNamed(sources: Record<string, Observable<Signal>>, options: Partial<MergeOptions> = {}) {
  const captured = captureLog();
  const named: NamedSource[] = Object.entries(sources).map(([name, signals$]) => ({ name, signals$ }));
  const merged = mergeSources(named, { log: captured.log, throttleMs: 5, firstDelayMs: 8, capDelayMs: 16, random: () => 0.999, ...options });
  /** A stream that connects when it is subscribed to, so that a marble test sees the sources' own time. */
  const connecting = <T>(stream$: Observable<T>): Observable<T> =>
    new Observable((subscriber) => {
      subscriber.add(stream$.subscribe(subscriber));
      subscriber.add(merged.connect());
    });
  return { ...captured, ...merged, connecting };
}

describe('the merge of all sources', () => {
  it('never: never', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold<Signal>('-');
      const { all$, connecting } = mergeNamed({ one: source });
      expectObservable(connecting(all$), '^---!').toBe('-');
      expectSubscriptions(source.subscriptions).toBe('^---!');
    });
  });

  it('empty: completes when every source has, also without any', () => {
    drawTime(({ cold, expectObservable }) => {
      const { all$, connecting } = mergeNamed({ one: cold('--|'), two: cold('----|') });
      expectObservable(connecting(all$)).toBe('----|');
      const none = mergeNamed({});
      expectObservable(none.connecting(none.sweeps$)).toBe('|');
    });
  });

  it('one, many: what sources say comes in their order', () => {
    drawTime(({ cold, expectObservable }) => {
      const { all$, connecting } = mergeNamed({ one: cold('a--a|', SIGNALS), two: cold('-bs---|', SIGNALS) });
      expectObservable(connecting(all$)).toBe('abs' + 'a--|', SIGNALS);
    });
  });

  it('error: one failing source never ends the others; it is logged and subscribed to again, later and later', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const failing = cold<Signal>('-#');
      const { users$, lines, connecting } = mergeNamed({ well: cold('a---------a---------a--------------a', SIGNALS), failing }, { firstDelayMs: 22, capDelayMs: 44, random: () => 0.9999 });
      expectObservable(connecting(users$), '^ 60ms !').toBe('a---------a---------a--------------a', SIGNALS);
      // The pause is drawn below 22, then below 44 milliseconds.
      expectSubscriptions(failing.subscriptions).toBe(['^!', '22ms ^!']);
      flush();
      expect(lines.map(({ msg, source, retryInMs }) => ({ msg, source, retryInMs }))).toEqual([
        { msg: 'source failed', source: 'failing', retryInMs: 21 },
        { msg: 'source failed', source: 'failing', retryInMs: 43 },
      ]);
    });
  });

  it('a plain merge would end with its first failing source', () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(rxMerge(cold('a--a', SIGNALS), cold('-#'))).toBe('a#', SIGNALS);
    });
  });

  it('callback throws: a source that throws while it is being subscribed to is a failed source', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const throwing = new Observable<Signal>(() => {
        throw new Error('at once');
      });
      const { users$, lines, connecting } = mergeNamed({ throwing, well: cold('a----b', SIGNALS) });
      expectObservable(connecting(users$), '^-------!').toBe('a----b', SIGNALS);
      flush();
      expect(lines).toMatchObject([{ source: 'throwing' }]);
    });
  });

  it('a source that recovered begins with a short pause at its next failure', () => {
    drawTime(({ expectObservable, flush, cold }) => {
      const lives = ['#', '#', '50ms #', '#'];
      const failing = new Observable<Signal>((subscriber) => cold<Signal>(lives.shift() ?? '-').subscribe(subscriber));
      const { all$, lines, connecting } = mergeNamed({ failing }, { firstDelayMs: 100, capDelayMs: 400, random: () => 0.1 });
      expectObservable(connecting(all$), '^ 400ms !').toBe('-');
      flush();
      // 50 ms are no recovery while a pause may take 400.
      expect(lines.map(({ retryInMs }) => retryInMs)).toEqual([20, 20, 40, 40]);
    });
    drawTime(({ expectObservable, flush, cold }) => {
      const lives = ['#', '#', '50ms #', '#'];
      const failing = new Observable<Signal>((subscriber) => cold<Signal>(lives.shift() ?? '-').subscribe(subscriber));
      const { all$, lines, connecting } = mergeNamed({ failing }, { firstDelayMs: 20, capDelayMs: 40, random: () => 0.9999 });
      expectObservable(connecting(all$), '^ 400ms !').toBe('-');
      flush();
      expect(lines.map(({ retryInMs }) => retryInMs)).toEqual([20, 39, 20, 39]);
    });
  });

  it('sources are subscribed to once however many listen, and what they say at once reaches all', () => {
    let subscriptions = 0;
    const source = new Observable<Signal>((subscriber) => {
      subscriptions += 1;
      return createStartSource().subscribe(subscriber);
    });
    const { users$, sweeps$, all$, connect } = mergeNamed({ source });
    const heard: string[] = [];
    users$.subscribe(({ kind }) => heard.push(kind));
    sweeps$.subscribe(({ kind }) => heard.push(kind));
    all$.subscribe(() => heard.push('any'));
    connect().unsubscribe();
    expect(heard.toSorted()).toEqual(['any', 'any', 'sweep', 'user']);
    expect(subscriptions).toBe(1);
  });

  it('disconnecting stops every source, also one that waits to be tried again', () => {
    drawTime(({ cold, expectSubscriptions, flush }) => {
      const well = cold<Signal>('-');
      const failing = cold<Signal>('#');
      const { connect } = mergeNamed({ well, failing });
      const connection = connect();
      cold('---(x|)').subscribe(() => connection.unsubscribe());
      expectSubscriptions(well.subscriptions).toBe('^--!');
      expectSubscriptions(failing.subscriptions).toBe('(^!)');
      flush();
    });
  });

  it('resubscribe: it can be connected again after it was disconnected', () => {
    const { users$, connect } = mergeNamed({ one: of(SIGNALS.a), two: NEVER });
    const heard: Signal[] = [];
    for (let i = 0; i < 2; i += 1) {
      const subscription = users$.subscribe((signal) => heard.push(signal));
      connect().unsubscribe();
      subscription.unsubscribe();
    }
    expect(heard).toEqual([SIGNALS.a, SIGNALS.a]);
  });
});

describe('the split', () => {
  it('users$ carries every user signal, unthrottled', () => {
    drawTime(({ cold, expectObservable }) => {
      const { users$, connecting } = mergeNamed({ one: cold('aabuscra|', SIGNALS) });
      expectObservable(connecting(users$)).toBe('aabu---a|', SIGNALS);
    });
  });

  it('sweeps$ carries the first at once, then one a window, and never loses the last', () => {
    drawTime(({ cold, expectObservable }) => {
      const { sweeps$, connecting } = mergeNamed({ one: cold('tass-------s|', SIGNALS), two: EMPTY });
      expectObservable(connecting(sweeps$)).toBe('t----s-----s|', SIGNALS);
    });
  });

  it('controls$ throttles "the control row changed" and never loses the last', () => {
    drawTime(({ cold, expectObservable }) => {
      const { controls$, connecting } = mergeNamed({ one: cold('ccd----|', SIGNALS) });
      expectObservable(connecting(controls$)).toBe('c----d-|', SIGNALS);
    });
  });

  it('controls$ keeps all distinct commands, at once and in order', () => {
    drawTime(({ cold, expectObservable }) => {
      const { controls$, connecting } = mergeNamed({ one: cold('rApBm|', SIGNALS) });
      expectObservable(connecting(controls$)).toBe('rApBm|', SIGNALS);
    });
  });

  it('controls$ collapses repeats of a resync to one a window and never loses the last', () => {
    drawTime(({ cold, expectObservable }) => {
      const { controls$, connecting } = mergeNamed({ one: cold('rrrA-Ar---|', SIGNALS) });
      // r at 0 is followed by the one of 2 at 5, then by the one of 6 at 10; A at 3 by the one of 5 at 8.
      expectObservable(connecting(controls$)).toBe('r--A-r--A-(r|)', SIGNALS);
    });
  });

  it('controls$ never holds a pause or a resume back', () => {
    drawTime(({ cold, expectObservable }) => {
      const { controls$, connecting } = mergeNamed({ one: cold('ppmpm|', SIGNALS) });
      expectObservable(connecting(controls$)).toBe('ppmpm|', SIGNALS);
    });
  });
});

it('a source that always fails at once is not called without a pause', () => {
  drawTime(({ expectObservable, flush }) => {
    const { all$, lines, connecting } = mergeNamed({ failing: throwError(() => new Error('no')) }, { random: () => 0 });
    expectObservable(connecting(all$), '^ 100ms !').toBe('-');
    flush();
    expect(lines).toHaveLength(6);
  });
});
