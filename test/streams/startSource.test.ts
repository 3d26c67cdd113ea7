import { it } from 'vitest';
import { createStartSource } from '../../src/streams/startSource.js';
import { SIGNALS, drawTime } from './marbles.js';

it('the start asks at once for whoever waits, then for a sweep, at each subscription', () => {
  drawTime(({ expectObservable }) => {
    const started = { u: { ...SIGNALS.u, source: 'start' }, t: SIGNALS.t };
    const source$ = createStartSource();
    expectObservable(source$).toBe('(ut|)', started);
    expectObservable(source$, '--^').toBe('--(ut|)', started);
  });
});
