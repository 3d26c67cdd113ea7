import { describe, expect, it } from 'vitest';
import { createLogTail, passes } from '../src/logTail.js';

const USER = '0b6f7a3e-58f2-4d51-9b9c-0a4f3b7f2a11';
const line = (level: number, more: object = {}): string => JSON.stringify({ level, time: '2026-01-01T00:00:00.000Z', ...more, msg: 'text' });

describe('the tail of the log', () => {
  it('keeps the last lines, whole, without their line end', () => {
    const tail = createLogTail({ maxLines: 3 });
    for (let i = 0; i < 10; i++) tail.write(`line ${i}\n`);
    expect(tail.lines()).toEqual(['line 7', 'line 8', 'line 9']);
  });

  it('never holds more than its bytes, whatever the lines are', () => {
    const tail = createLogTail({ maxBytes: 1_000 });
    for (let i = 0; i < 500; i++) {
      tail.write('x'.repeat((i * 37) % 400));
      expect(tail.lines().join('').length).toBeLessThanOrEqual(1_000);
    }
    tail.write('x'.repeat(5_000));
    expect(tail.lines()).toEqual([]);
    tail.write('after it');
    expect(tail.lines()).toEqual(['after it']);
  });

  it('tells followers each line until they leave', () => {
    const tail = createLogTail();
    const heard: string[] = [];
    tail.write('before');
    const leave = tail.follow((each) => heard.push(each));
    tail.write('one\n');
    leave();
    tail.write('two\n');
    expect(heard).toEqual(['one']);
  });
});

describe('a filter', () => {
  it('lets through the level and what is above it', () => {
    expect(passes(line(30), { level: 30 })).toBe(true);
    expect(passes(line(20), { level: 30 })).toBe(false);
    expect(passes(line(50), { level: 30 })).toBe(true);
  });

  it('lets through only lines that name the user, wherever they do', () => {
    expect(passes(line(30, { authId: USER }), { level: 10, user: USER })).toBe(true);
    expect(passes(line(30, { users: [{ id: USER.toUpperCase() }] }), { level: 10, user: USER })).toBe(true);
    expect(passes(line(30), { level: 10, user: USER })).toBe(false);
  });
});
