import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { withDeadline } from '../src/deadline.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Rejects when its signal aborts; nothing else holds the signal. */
const forEver = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
let collecting: NodeJS.Timeout | undefined;
afterEach(() => clearInterval(collecting));

it('aborts when its time is over, however often garbage is collected meanwhile', async () => {
  collecting = setInterval(collect, 10);
  await expect(withDeadline(200, new AbortController().signal, forEver)).rejects.toMatchObject({ name: 'TimeoutError' });
});

it('aborts with the signal given, before and meanwhile, for its reason', async () => {
  const stop = new AbortController();
  const work = withDeadline(60_000, stop.signal, forEver);
  stop.abort(new Error('stopped'));
  await expect(work).rejects.toThrow('stopped');
  await expect(withDeadline(60_000, stop.signal, (signal) => (signal.aborted ? Promise.reject(signal.reason as Error) : forEver(signal)))).rejects.toThrow('stopped');
});

it('ends also where the work does not heed the signal', async () => {
  await expect(withDeadline(50, new AbortController().signal, () => new Promise(() => undefined))).rejects.toMatchObject({ name: 'TimeoutError' });
});

it('gives what the work gives, and leaves neither timer nor listener', async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 100; i += 1) expect(await withDeadline(1_000, signal, () => Promise.resolve(i))).toBe(i);
});
