import { NEVER, type ObservableInput } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createBacklogPoll } from '../../src/streams/backlogPoll.js';
import { SIGNALS, captureLog, drawTime } from './marbles.js';

const rung = { u: { ...SIGNALS.u, source: 'poll' } };
const answers = { y: true, n: false };

function poll(anyoneWaiting: () => ObservableInput<boolean>) {
  const captured = captureLog();
  return { ...captured, signals$: createBacklogPoll({ everyMs: 5, answerWithinMs: 12, anyoneWaiting, log: captured.log }) };
}

describe('the backlog poll', () => {
  it('rings at each interval while someone waits and is silent while nobody does', () => {
    drawTime(({ cold, expectObservable }) => {
      const asked = ['(n|)', '(y|)', '(n|)', '(y|)'];
      expectObservable(poll(() => cold(asked.shift() ?? '(n|)', answers)).signals$, '^ 27ms !').toBe('----------u---------u', rung);
    });
  });

  it('never: nobody ever waits', () => {
    drawTime(({ cold, expectObservable }) => expectObservable(poll(() => cold('(n|)', answers)).signals$, '^ 50ms !').toBe('-'));
  });

  it('empty: an answer without a value rings nothing and the next is asked', () => {
    drawTime(({ cold, expectObservable }) => {
      const asked = ['|', '(y|)'];
      expectObservable(poll(() => cold(asked.shift() ?? '|', answers)).signals$, '^ 17ms !').toBe('----------u', rung);
    });
  });

  it('a slow answer is never overlapped by another poll', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const answer = cold('-------(y|)', answers);
      expectObservable(poll(() => answer).signals$, '^ 23ms !').toBe('------------u---------u', rung);
      expectSubscriptions(answer.subscriptions).toBe(['-----^------!', '---------------^------!']);
    });
  });

  it('error, and a callback that throws: logged, and the next poll is made', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      let asked = 0;
      const { signals$, lines } = poll(() => {
        asked += 1;
        if (asked === 1) return cold('#');
        if (asked === 2) throw new Error('no pool');
        return cold('(y|)', answers);
      });
      expectObservable(signals$, '^ 17ms !').toBe('---------------u', rung);
      flush();
      expect(lines.map(({ msg }) => msg)).toEqual(['backlog poll failed', 'backlog poll failed']);
    });
  });

  it('an answer that never comes is given up, logged, and the next poll is made', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      let asked = 0;
      const { signals$, lines } = poll(() => (asked++ === 0 ? NEVER : cold('(y|)', answers)));
      // Asked at 5, given up at 17, asked again at 20.
      expectObservable(signals$, '^ 22ms !').toBe('--------------------u', rung);
      flush();
      expect(lines).toHaveLength(1);
    });
  });

  it('early disposal: stops the question; resubscribe: begins anew', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const answer = cold('---(y|)', answers);
      const { signals$ } = poll(() => answer);
      expectObservable(signals$, '^-----!').toBe('');
      expectObservable(signals$, '-------^--------!').toBe('---------------u', rung);
      expectSubscriptions(answer.subscriptions).toBe(['-----^!', '------------^--!']);
    });
  });

  it('takes a promise for an answer', async () => {
    const { log } = captureLog();
    const signal = await new Promise((resolve) => {
      const subscription = createBacklogPoll({ everyMs: 1, anyoneWaiting: () => Promise.resolve(true), log }).subscribe((value) => {
        subscription.unsubscribe();
        resolve(value);
      });
    });
    expect(signal).toEqual(rung.u);
  });
});
