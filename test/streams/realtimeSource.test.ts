import { NEVER, Subject, merge, of, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import type { SourceHealth } from '../../src/streams/health.js';
import type { JoinEvent } from '../../src/streams/joinRealtime.js';
import { followRealtime, type RealtimeSourceOptions } from '../../src/streams/realtimeSource.js';
import { ANN, SIGNALS, captureLog, drawTime } from './marbles.js';

const EVENTS: Record<string, JoinEvent> = {
  j: { type: 'joined' },
  a: { type: 'wallet', record: { id: 1, auth_id: ANN, flow_private_key: 'a secret' } },
  x: { type: 'wallet', record: { id: 1, auth_id: null, flow_private_key: 'a secret' } },
  f: { type: 'canary', record: { id: 1, nonce: 'another instance' } },
  y: { type: 'canary', record: null },
};
const refused = new AppError('network', 'CHANNEL_ERROR');
const heard = { ...SIGNALS, a: { ...SIGNALS.a, source: 'realtime' } };

/** Canaries every 10 ms within 6; the pause before joining again is 20 ms (random 0). */
function follow(joining$: Observable<JoinEvent>, options: Partial<RealtimeSourceOptions> = {}) {
  const captured = captureLog();
  const healths: SourceHealth[] = [];
  const signals$ = followRealtime(joining$, {
    sendCanary: () => NEVER, log: captured.log, onHealth: (health) => healths.push(health),
    canaryEveryMs: 10, canaryWithinMs: 6, firstDelayMs: 20, capDelayMs: 40, random: () => 0, ...options,
  });
  return { ...captured, signals$, healths, states: () => healths.map(({ state }) => state) };
}

/** A way for canaries that come back after 2 ms, from the events that the source is given. */
function echo(cold: (marbles: string) => Observable<string>) {
  const back$ = new Subject<JoinEvent>();
  const sendCanary = (nonce: string) => {
    cold('--(x|)').subscribe(() => back$.next({ type: 'canary', record: { id: 1, nonce } }));
    return of('sent');
  };
  return { back$, sendCanary };
}

describe('Realtime as signals', () => {
  it('never: a join that is never answered says nothing', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const joining = cold<JoinEvent>('-');
      expectObservable(follow(joining).signals$, '^---!').toBe('-');
      expectSubscriptions(joining.subscriptions).toBe('^---!');
    });
  });

  it('joined alone is never ok: no catch-up before a canary came back', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const { signals$, states } = follow(cold('j-f-y', EVENTS), { sendCanary: () => of('sent') });
      expectObservable(signals$, '^----!').toBe('-');
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'down']);
    });
  });

  it('asks for one catch-up when the canary came back, and is ok; later canaries ask for none', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const { back$, sendCanary } = echo(cold);
      const { signals$, states } = follow(merge(cold('-j', EVENTS), back$), { sendCanary });
      expectObservable(signals$, '^ 40ms !').toBe('---u', heard);
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'ok', 'down']);
    });
  });

  it('inserted wallets ring for their users, also before the first proof', () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(follow(cold('ja-a', EVENTS)).signals$, '^----!').toBe('-a-a', heard);
    });
  });

  it('a malformed record is logged without its values, and dropped', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const { signals$, lines } = follow(cold('jxa', EVENTS));
      expectObservable(signals$, '^---!').toBe('--a', heard);
      flush();
      expect(lines).toMatchObject([{ msg: 'malformed Realtime record dropped' }]);
      expect(JSON.stringify(lines)).not.toContain('a secret');
    });
  });

  it('a mute channel is reported, left and joined again, and stays mute until a canary comes back', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const joining = cold('j', EVENTS);
      const { signals$, states } = follow(joining, { sendCanary: () => of('sent') });
      expectObservable(signals$, '^ 40ms !').toBe('-');
      expectSubscriptions(joining.subscriptions).toBe(['^-----!', '--------------------------^-----!']);
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'mute', 'down']);
    });
  });

  it('error: a refused or lost channel is joined again, with a catch-up after its first canary', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const { back$, sendCanary } = echo(cold);
      const joining = cold('j---#', EVENTS, refused);
      const { signals$, states } = follow(merge(joining, back$), { sendCanary });
      expectObservable(signals$, '^ 27ms !').toBe('--u 23ms u', heard);
      expectSubscriptions(joining.subscriptions).toBe(['^---!', '------------------------^---!']);
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'ok', 'down', 'connecting', 'ok', 'down']);
    });
  });

  it('a canary that cannot be written is reported, and the channel kept', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const joining = cold('j-------a', EVENTS);
      const { signals$, healths } = follow(joining, { sendCanary: () => Promise.reject(new Error('no pool')) });
      expectObservable(signals$, '^---------!').toBe('--------a', heard);
      expectSubscriptions(joining.subscriptions).toBe('^---------!');
      flush();
      expect(healths[2]).toMatchObject({ state: 'mute', reason: 'the canary could not be written' });
    });
  });

  it('a canary that comes back after one that could not be written asks for a catch-up: the outage may have been Realtime\'s too', () => {
    drawTime(({ cold, expectObservable }) => {
      const { back$, sendCanary } = echo(cold);
      let sends = 0;
      // Proofs at 2 and 14; the one that begins at 14+10 cannot be sent at 24, 26, 28 and is given up at 30; the next begins at 40.
      const flaky = (nonce: string) => {
        sends += 1;
        return sends >= 3 && sends <= 5 ? cold('#') : sendCanary(nonce);
      };
      expectObservable(follow(merge(cold('j', EVENTS), back$), { sendCanary: flaky }).signals$, '^ 60ms !').toBe('--u 39ms u', heard);
    });
  });

  it('early disposal leaves the channel; resubscribe joins anew', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const joining = cold('j', EVENTS);
      const { signals$ } = follow(joining);
      expectObservable(signals$, '^-!').toBe('-');
      expectObservable(signals$, '---^-!').toBe('-');
      expectSubscriptions(joining.subscriptions).toBe(['^-!', '---^-!']);
    });
  });
});
