import { EMPTY, NEVER, Subject, merge, of, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import type { SourceHealth } from '../../src/streams/health.js';
import type { ListenEvent } from '../../src/streams/listenToPostgres.js';
import { HEARTBEAT_CHANNEL, followListening, type NotifySourceOptions } from '../../src/streams/notifySource.js';
import { ANN, SIGNALS, captureLog, drawTime } from './marbles.js';

const notification = (channel: string, payload?: string): ListenEvent => ({ type: 'notification', channel, payload, senderPid: 7 });
const EVENTS = {
  l: { type: 'listening' } as ListenEvent,
  a: notification('wallet_sync', ANN),
  x: notification('wallet_sync', 'rubbish'.repeat(500)),
  y: notification('wallet_sync_control', 'stop'),
  p: notification('wallet_sync_control', 'pause'),
  d: notification('wallet_sync_changed'),
  h: notification(HEARTBEAT_CHANNEL, 'another instance'),
};
const lost = new AppError('network', 'the connection was lost');
const heard = { ...SIGNALS, d: { ...SIGNALS.d, senderPid: 7 } };

/** Heartbeats every 10 ms within 6; the pause before connecting again is 20 ms (random 0). */
function follow(listening$: Observable<ListenEvent>, options: Partial<NotifySourceOptions> = {}) {
  const captured = captureLog();
  const healths: SourceHealth[] = [];
  const signals$ = followListening(listening$, {
    sendHeartbeat: () => NEVER, log: captured.log, onHealth: (health) => healths.push(health),
    heartbeatEveryMs: 10, heartbeatWithinMs: 6, firstDelayMs: 20, capDelayMs: 40, random: () => 0, ...options,
  });
  return { ...captured, signals$, healths, states: () => healths.map(({ state }) => state) };
}

describe('NOTIFY as signals', () => {
  it('never: a connection that never stands says nothing', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const listening = cold<ListenEvent>('-');
      expectObservable(follow(listening).signals$, '^---!').toBe('-');
      expectSubscriptions(listening.subscriptions).toBe('^---!');
    });
  });

  it('asks for a catch-up when it listens, then passes on what each channel says', () => {
    drawTime(({ cold, expectObservable }) => {
      expectObservable(follow(cold('-l---apdh', EVENTS)).signals$, '^---------!').toBe('-(uc)apd', heard);
    });
  });

  it('malformed payloads are logged, never whole, and dropped; an unknown command with the list of the known', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const { signals$, lines } = follow(cold('xya', EVENTS));
      expectObservable(signals$, '^---!').toBe('--a', heard);
      flush();
      expect(lines).toMatchObject([
        { msg: 'malformed notification dropped', payload: { length: 3_500 } },
        { msg: 'unknown control command dropped', payload: { head: 'stop' }, senderPid: 7, known: ['resync', 'resync:<auth_id>', 'pause', 'resume'] },
      ]);
      expect(JSON.stringify(lines).length).toBeLessThan(1_000);
    });
  });

  it('error: a lost connection is made again, and a catch-up asked for each time', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const listening = cold('l---#', EVENTS, lost);
      const { signals$, healths } = follow(listening);
      expectObservable(signals$, '^ 26ms !').toBe('(uc) 20ms (uc)', heard);
      expectSubscriptions(listening.subscriptions).toBe(['^---!', '------------------------^--!']);
      flush();
      expect(healths[2]).toMatchObject({ state: 'down', reason: 'the connection was lost' });
    });
  });

  it('is ok only when its own heartbeat was heard', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const back$ = new Subject<ListenEvent>();
      const sendHeartbeat = (nonce: string) => {
        cold('--(x|)').subscribe(() => back$.next(notification(HEARTBEAT_CHANNEL, nonce)));
        return of('sent');
      };
      const { signals$, healths } = follow(merge(cold('l', EVENTS), back$), { sendHeartbeat });
      expectObservable(signals$, '^ 30ms !').toBe('(uc)', heard);
      flush();
      expect(healths.map(({ state, since }) => ({ state, at: since.getTime() }))).toEqual([
        { state: 'connecting', at: 0 },
        { state: 'connecting', at: 0 },
        { state: 'ok', at: 2 },
        { state: 'down', at: 31 },
      ]);
      expect(healths[2]?.reason).toBeNull();
    });
  });

  it('is mute, torn down and made again when its heartbeat is not heard, and stays mute until it is', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const listening = cold('l', EVENTS);
      const { signals$, states, healths } = follow(listening, { sendHeartbeat: () => of('sent') });
      expectObservable(signals$, '^ 40ms !').toBe('(uc) 22ms (uc)', heard);
      expectSubscriptions(listening.subscriptions).toBe(['^-----!', '--------------------------^-----!']);
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'mute', 'down']);
      expect(healths[2]?.reason).toContain('transaction pooler');
    });
  });

  it('a heartbeat that cannot be sent is reported, and the connection kept', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const listening = cold('l-------a', EVENTS);
      const { signals$, states, lines } = follow(listening, { sendHeartbeat: () => cold('#') });
      expectObservable(signals$, '^---------!').toBe('(uc)----a', heard);
      expectSubscriptions(listening.subscriptions).toBe('^---------!');
      flush();
      expect(states()).toEqual(['connecting', 'connecting', 'mute', 'down']);
      expect(lines).toMatchObject([{ msg: 'heartbeat could not be sent' }]);
    });
  });

  it('callback throws: a health listener that throws is logged and harms nothing', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const { signals$, lines } = follow(cold('l----a', EVENTS), {
        onHealth: () => {
          throw new Error('listener');
        },
      });
      expectObservable(signals$, '^------!').toBe('(uc)-a', heard);
      flush();
      expect(lines[0]).toMatchObject({ msg: 'health listener failed' });
    });
  });

  it('resubscribe: a second subscription has a connection of its own', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const listening = cold('l', EVENTS);
      const { signals$ } = follow(listening);
      expectObservable(signals$, '^-!').toBe('(uc)', heard);
      expectObservable(signals$, '---^-!').toBe('---(uc)', heard);
      expectSubscriptions(listening.subscriptions).toBe(['^-!', '---^-!']);
    });
  });

  it('empty: a connection that ends without an error says nothing more', () => {
    drawTime(({ expectObservable }) => expectObservable(follow(EMPTY).signals$).toBe('|'));
  });
});
