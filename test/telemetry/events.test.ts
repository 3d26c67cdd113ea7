import { setImmediate as nextTurn } from 'node:timers/promises';
import { filter, map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.js';
import { createTelemetry, type ServiceEvent } from '../../src/telemetry/events.js';

const heard = (source: string): ServiceEvent => ({ kind: 'signal-heard', source, signal: 'user' });

function logged() {
  const lines: string[] = [];
  const log = createLog({ level: 'info', pretty: false, destination: { write: (line) => void lines.push(line) } });
  return { lines, telemetry: createTelemetry(log) };
}

describe('telemetry', () => {
  it('delivers in the order of emission, to all, and after the emitter has gone on', async () => {
    const { telemetry } = logged();
    const [first, second]: [string[], string[]] = [[], []];
    telemetry.events$.subscribe((event) => first.push((event as { source: string }).source));
    telemetry.events$.pipe(filter((event) => event.kind === 'signal-heard'), map((event) => event.source)).subscribe((source) => second.push(source));
    for (const source of ['notify', 'poll', 'start']) telemetry.emit(heard(source));
    expect(first).toEqual([]);
    await nextTurn();
    expect(first).toEqual(['notify', 'poll', 'start']);
    expect(second).toEqual(first);
  });

  it('a listener that throws fails nobody, is logged once, and hears what comes later', async () => {
    const { telemetry, lines } = logged();
    let calls = 0;
    const others: string[] = [];
    telemetry.events$.subscribe(() => {
      calls += 1;
      throw new Error('a listener at fault');
    });
    telemetry.events$.subscribe(({ kind }) => others.push(kind));
    for (let i = 0; i < 3; i += 1) expect(() => telemetry.emit(heard('poll'))).not.toThrow();
    await nextTurn();
    expect(calls).toBe(3);
    expect(others).toHaveLength(3);
    expect(lines.filter((line) => line.includes('a listener at fault'))).toHaveLength(1);
  });

  it('so does one at the end of a pipe, and an operator that throws', async () => {
    const { telemetry, lines } = logged();
    const fail = (): never => {
      throw new Error('a pipe at fault');
    };
    telemetry.events$.pipe(filter(() => true)).subscribe(fail);
    telemetry.events$.pipe(map(fail)).subscribe();
    telemetry.emit(heard('poll'));
    telemetry.emit(heard('poll'));
    await nextTurn();
    // rxjs would throw in a later turn, where nothing catches it.
    await nextTurn();
    expect(lines.filter((line) => line.includes('a pipe at fault'))).toHaveLength(2);
  });

  it('emitting with nobody listening keeps nothing, and an unsubscribed one hears nothing', async () => {
    const { telemetry } = logged();
    telemetry.emit(heard('poll'));
    const events: ServiceEvent[] = [];
    const subscription = telemetry.events$.subscribe((event) => events.push(event));
    await nextTurn();
    expect(events).toEqual([]);
    telemetry.emit(heard('notify'));
    subscription.unsubscribe();
    await nextTurn();
    expect(events).toEqual([]);
  });
});
