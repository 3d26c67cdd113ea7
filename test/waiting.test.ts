import { expect, it, vi } from 'vitest';
import { within } from '../src/waiting.js';

const never = new Promise<never>(() => undefined);

it('waits for the work, and no longer than the limit', async () => {
  let isDone = false;
  await within(60_000, new Promise<void>((resolve) => setImmediate(() => ((isDone = true), resolve()))));
  expect(isDone).toBe(true);
  await within(20, never);
});

it('throws what the work throws, and leaves no timer', async () => {
  const cleared = vi.spyOn(globalThis, 'clearTimeout');
  await expect(within(60_000, Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(cleared).toHaveBeenCalledTimes(1);
  cleared.mockRestore();
});

it('drops what the work throws too late', async () => {
  let refuse: (error: Error) => void = () => undefined;
  await within(20, new Promise((_, reject) => (refuse = reject)));
  // Unheard, it would end the run.
  refuse(new Error('too late'));
});
