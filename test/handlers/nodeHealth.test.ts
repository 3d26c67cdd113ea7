import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import type { CallWatch } from '../../src/flow/rest.js';
import { createNodeHealth, type NodeHealth } from '../../src/handlers/nodeHealth.js';
import { createLog } from '../../src/log.js';

const SILENCE = new AppError('network', 'the access node cannot be reached: ECONNRESET');

let answer: () => Promise<string>;
let told: NodeHealth[];
let watch: CallWatch;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  answer = () => Promise.resolve('block');
  ({ watch } = createNodeHealth({ log: createLog({ level: 'silent' }), onHealth: (health) => told.push(health) }));
});
afterEach(() => void vi.useRealTimers());

const ask = (): Promise<unknown> => watch(() => answer()).catch((error: unknown) => error);
const states = (): string[] => told.map((health) => health.state);

describe("an access node's health, from its own calls", () => {
  it('is ok from the first answer, down after three calls in a row without one, and ok with the next', async () => {
    await ask();
    answer = () => Promise.reject(SILENCE);
    await ask();
    await ask();
    expect(states()).toEqual(['ok']);
    await ask();
    expect(told.at(-1)).toMatchObject({ state: 'down', reason: SILENCE.message });
    answer = () => Promise.resolve('block');
    await ask();
    expect(states()).toEqual(['ok', 'down', 'ok']);
  });

  it('is down when a call waits for 3 s and no other is answered', async () => {
    await ask();
    answer = () => new Promise(() => undefined);
    void ask();
    await vi.advanceTimersByTimeAsync(2_999);
    expect(states()).toEqual(['ok']);
    await vi.advanceTimersByTimeAsync(1);
    expect(told.at(-1)).toMatchObject({ state: 'down', reason: 'no answer for 3 s' });
  });

  it('stays ok while others are answered beside a slow call', async () => {
    answer = () => new Promise(() => undefined);
    void ask();
    await vi.advanceTimersByTimeAsync(2_000);
    answer = () => Promise.resolve('block');
    await ask();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(states()).toEqual(['ok']);
  });

  it('counts an error that the node gave as an answer', async () => {
    answer = () => Promise.reject(new AppError('chain-state', 'the chain refused'));
    for (let i = 0; i < 4; i++) await ask();
    expect(states()).toEqual(['ok']);
  });
});
