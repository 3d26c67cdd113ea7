import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, toAppError } from '../src/errors.js';

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

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

  it('becomes files, with place and mend, where the file system refused', () => {
    const missing = join(tmpdir(), 'not', 'there');
    const error = thrownBy(() => readFileSync(missing));
    expect(toAppError(error)).toMatchObject({ kind: 'files', where: missing, message: expect.stringContaining('ENOENT') as string, mend: expect.stringContaining('missing') as string, cause: error });
    expect(toAppError(thrownBy(() => readFileSync(tmpdir())))).toMatchObject({ kind: 'files', where: undefined, mend: expect.stringContaining('folder') as string });
  });

  it.each([
    ['ENOSPC', 'write', 'free space'],
    ['EDQUOT', 'fsync', 'quota'],
    ['EACCES', 'open', 'chown'],
    ['EPERM', 'chmod', 'chown'],
    ['EROFS', 'mkdir', 'mount'],
    ['EMFILE', 'open', 'ulimit'],
  ])('says what mends %s', (code, syscall, mend) => {
    expect(toAppError(Object.assign(new Error(`${code}: refused, ${syscall}`), { code, syscall, errno: -1 }))).toMatchObject({ kind: 'files', mend: expect.stringContaining(mend) as string });
  });

  it.each([
    ['a port that may not be listened at', { code: 'EACCES', syscall: 'listen' }],
    ['a program that is not there', { code: 'ENOENT', syscall: 'spawn go' }],
    ['a connection that was reset', { code: 'ECONNRESET', syscall: 'read' }],
    ['a code without a call', { code: 'ENOENT' }],
  ])('is no matter of files: %s', (_, details) => {
    expect(toAppError(Object.assign(new Error('x'), details)).kind).toBe('internal');
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
