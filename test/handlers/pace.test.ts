import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import { createPace } from '../../src/handlers/pace.js';

const REFUSED = new AppError('chain-state', 'the chain refused');

describe('the pace of creations', () => {
  it('sets no pause before anything has failed, and none after a success', () => {
    const pace = createPace(() => 1_000);
    expect(pace.notBefore()).toBe(0);
    pace.noteFailure(new AppError('data', 'x'));
    expect(pace.notBefore()).toBe(61_000);
    pace.noteSuccess();
    expect(pace.notBefore()).toBe(0);
  });

  it('grows with each failure in a row', () => {
    const pace = createPace(() => 0);
    const pauses = Array.from({ length: 12 }, () => pace.noteFailure(new AppError('network', 'x')));
    expect(Math.max(...pauses.slice(8))).toBeGreaterThan(Math.max(...pauses.slice(0, 2)));
  });

  it('goes on after the first account that failed standing alone, and waits a minute after the second in a row: the cause may meet all', () => {
    const pace = createPace(() => 0);
    pace.noteAlone(REFUSED);
    expect(pace.notBefore()).toBe(0);
    pace.noteAlone(REFUSED);
    expect(pace.notBefore()).toBe(60_000);
  });

  it('counts anew once another creation has sealed', () => {
    const pace = createPace(() => 0);
    pace.noteAlone(REFUSED);
    pace.noteSuccess();
    pace.noteAlone(REFUSED);
    expect(pace.notBefore()).toBe(0);
  });
});
