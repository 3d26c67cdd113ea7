import { expect, it } from 'vitest';
import { AppError, type ErrorKind } from '../../../src/errors.js';
import { persevere } from '../../../src/handlers/sweep/persevere.js';

const NOBODY = new AbortController().signal;
const patience = { attempts: 4, waitMs: 0, standstillMs: 0 };

/** Fails so often with these kinds, then succeeds. Counts its calls. */
function failing(kinds: readonly ErrorKind[]) {
  let calls = 0;
  return {
    calls: () => calls,
    work: (): Promise<string> => {
      const kind = kinds[calls++];
      return kind === undefined ? Promise.resolve('done') : Promise.reject(new AppError(kind, kind));
    },
  };
}

it('tries again what passes: a node that is away or asks for fewer calls', async () => {
  const { work, calls } = failing(['network', 'rate-limit', 'network']);
  expect(await persevere(patience, NOBODY, work)).toBe('done');
  expect(calls()).toBe(4);
});

it('throws at once what does not pass, and the last error when its patience ends', async () => {
  const refused = failing(['chain-state']);
  await expect(persevere(patience, NOBODY, refused.work)).rejects.toMatchObject({ kind: 'chain-state' });
  expect(refused.calls()).toBe(1);
  const away = failing(['network', 'network', 'network', 'network', 'network']);
  await expect(persevere(patience, NOBODY, away.work)).rejects.toMatchObject({ kind: 'network' });
  expect(away.calls()).toBe(4);
});

it('tries nothing once it is stopped', async () => {
  const stop = new AbortController();
  const { work, calls } = failing(['network', 'network']);
  stop.abort();
  await expect(persevere(patience, stop.signal, work)).rejects.toMatchObject({ kind: 'network' });
  expect(calls()).toBe(0);
});
