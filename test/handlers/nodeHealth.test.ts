import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import type { AccessNode, Block } from '../../src/flow/accessNode.js';
import { watchNode, type NodeHealth } from '../../src/handlers/nodeHealth.js';
import { createLog } from '../../src/log.js';

const BLOCK: Block = { id: 'ab', height: 1, timestamp: new Date(0) };
const SILENCE = new AppError('network', 'the access node cannot be reached: ECONNRESET');

let answer: () => Promise<Block>;
let told: NodeHealth[];
let node: AccessNode;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  answer = () => Promise.resolve(BLOCK);
  node = watchNode({ latestSealedBlock: () => answer() } as AccessNode, { log: createLog({ level: 'silent' }), onHealth: (health) => told.push(health) });
});
afterEach(() => void vi.useRealTimers());

const ask = (): Promise<unknown> => node.latestSealedBlock().catch((error: unknown) => error);
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
    answer = () => Promise.resolve(BLOCK);
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
    answer = () => Promise.resolve(BLOCK);
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
