import { NEVER, Subject, of, type Observable, type ObservableInput } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import { MUTE_MESSAGE, proveByEcho, type EchoProof } from '../../src/streams/echoProof.js';
import { drawTime } from './marbles.js';

const mute = new AppError('network', MUTE_MESSAGE);

/** Nonces are n1, n2, … ; a proof every 10 ms after the last, within 6, sent again each 4. */
function prove(heard$: Observable<string>, send: (nonce: string) => ObservableInput<unknown>, onUnsent: (error: unknown) => void = (error) => expect.fail(String(error))): Observable<EchoProof> {
  let count = 0;
  return proveByEcho({ heard$, send, newNonce: () => `n${++count}`, everyMs: 10, withinMs: 6, resendMs: 4, onUnsent });
}

const tookOf = (latencyMs: number): EchoProof => ({ latencyMs });

describe('the proof by echo', () => {
  it('many: what comes back is a proof with its latency, and the next begins a pause later', () => {
    drawTime(({ cold, expectObservable }) => {
      const heard$ = new Subject<string>();
      const send = (nonce: string) => {
        cold('--(x|)').subscribe(() => heard$.next(nonce));
        return of('sent');
      };
      expectObservable(prove(heard$, send), '^ 27ms !').toBe('--t-----------t-----------t', { t: tookOf(2) });
    });
  });

  it('a nonce that comes back while it is being sent counts', () => {
    drawTime(({ expectObservable }) => {
      const heard$ = new Subject<string>();
      expectObservable(
        prove(heard$, (nonce) => {
          heard$.next(nonce);
          return NEVER;
        }),
        '^-!',
      ).toBe('t', { t: tookOf(0) });
    });
  });

  it('never heard: an error within the limit', () => {
    drawTime(({ expectObservable }) => expectObservable(prove(NEVER, () => of('sent'))).toBe('------#', {}, mute));
  });

  it("another instance's nonces prove nothing", () => {
    drawTime(({ hot, expectObservable }) => {
      expectObservable(prove(hot('-f-f-f'), () => of('sent'))).toBe('------#', {}, mute);
    });
  });

  it('an old nonce that comes back late proves nothing for a later one', () => {
    drawTime(({ hot, expectObservable }) => {
      // n1 in time; again when n2 and n3 are out.
      expectObservable(prove(hot('-a----------a', { a: 'n1' }), () => of('sent'))).toBe('-t---------------#', { t: tookOf(1) }, mute);
    });
  });

  it('one lost nonce is followed by another within the limit', () => {
    drawTime(({ hot, expectObservable }) => {
      expectObservable(prove(hot('-----b', { b: 'n2' }), () => of('sent')), '^------!').toBe('-----t', { t: tookOf(1) });
    });
  });

  it('error, and a callback that throws: sending that fails is told and tried again, and blames the channel for nothing', () => {
    drawTime(({ cold, expectObservable, flush }) => {
      const told: unknown[] = [];
      let sends = 0;
      const send = () => {
        sends += 1;
        if (sends % 2 === 0) throw 'thrown';
        return cold('#');
      };
      expectObservable(prove(NEVER, send, (error) => told.push(error)), '^ 25ms !').toBe('-');
      flush();
      // Two sends in each of the limits that end at 6 and 22.
      expect(sends).toBe(4);
      expect(told).toEqual(['thrown', 'thrown']);
    });
  });

  it('sending that never answers is told with null', () => {
    drawTime(({ expectObservable, flush }) => {
      const told: unknown[] = [];
      expectObservable(prove(NEVER, () => NEVER, (error) => told.push(error)), '^-------!').toBe('-');
      flush();
      expect(told).toEqual([null]);
    });
  });

  it('early disposal stops the sending; resubscribe begins a proof anew', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions }) => {
      const sending = cold('---|');
      const proof$ = prove(NEVER, () => sending);
      expectObservable(proof$, '^-!');
      expectObservable(proof$, '---^-!');
      expectSubscriptions(sending.subscriptions).toBe(['^-!', '---^-!']);
    });
  });
});
