import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, toAppError } from '../src/errors.js';

describe('an AppError', () => {
  it('explains what is wrong, where, and what mends it', () => {
    expect(new AppError('usage', 'is not a folder', { where: '/srv/x', mend: 'remove it' }).explain()).toBe('/srv/x: is not a folder\n  mend: remove it');
  });

  it('explains with what it has', () => {
    expect(new AppError('internal', 'broken').explain()).toBe('broken');
    expect(new AppError('network', 'no answer', { where: 'peer' }).explain()).toBe('peer: no answer');
    expect(new AppError('network', 'no answer', { mend: 'start it' }).explain()).toBe('no answer\n  mend: start it');
  });

  it('is an Error with its kind, its cause and a stack', () => {
    const cause = new Error('below');
    const error = new AppError('rate-limit', 'too many calls', { cause, retryAfterMs: 250 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'AppError', kind: 'rate-limit', retryAfterMs: 250, where: undefined, mend: undefined });
    expect(error.cause).toBe(cause);
    expect(error.stack).toContain('errors.test.ts');
  });

  it('has no cause where none was given', () => {
    expect('cause' in new AppError('data', 'wrong')).toBe(false);
  });
});

describe('whatever was thrown', () => {
  it('stays itself when it is an AppError', () => {
    const error = new AppError('funds', 'empty');
    expect(toAppError(error)).toBe(error);
  });

  it('becomes internal with its cause when it is another Error', () => {
    const error = new TypeError('x is not a function');
    expect(toAppError(error)).toMatchObject({ kind: 'internal', message: 'x is not a function', cause: error });
  });

  it.each([
    ['a text', 'text', 'text'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a plain object with a message', { message: 'from a client', code: '42' }, 'from a client'],
  ])('becomes internal with a text: %s', (_, thrown, message) => {
    expect(toAppError(thrown)).toMatchObject({ kind: 'internal', message });
  });

  it('never makes a second error, even where it cannot be made a text', () => {
    const hostile = { get message(): string { throw new Error('getter'); } };
    for (const thrown of [Object.create(null), hostile, { toString: () => { throw new Error('no'); } }]) expect(toAppError(thrown).kind).toBe('internal');
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (thrown) => toAppError(thrown) instanceof AppError));
  });
});
