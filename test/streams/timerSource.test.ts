import { describe, it } from 'vitest';
import { createTimerSource } from '../../src/streams/timerSource.js';
import { SIGNALS, drawTime } from './marbles.js';

describe('the timer source', () => {
  it('asks for the first sweep after a random part of the interval and for the others at each', () => {
    drawTime(({ expectObservable }) => {
      expectObservable(createTimerSource({ intervalMs: 10, random: () => 0.3 }), '^ 25ms !').toBe('---s---------s---------s', SIGNALS);
    });
  });

  it('draws another offset at each subscription', () => {
    drawTime(({ expectObservable }) => {
      const offsets = [0.1, 0.4];
      const source$ = createTimerSource({ intervalMs: 10, random: () => offsets.shift() ?? 0 });
      expectObservable(source$, '^---!').toBe('-s', SIGNALS);
      expectObservable(source$, '^-----!').toBe('----s', SIGNALS);
    });
  });
});
