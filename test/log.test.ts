import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../src/errors.js';
import { createLog, SECRET_KEYS, type Log } from '../src/log.js';
import { createLogTail } from '../src/logTail.js';

/** A log and what reached its destination. */
function record(level = 'trace'): { log: Log; text: () => string; lines: () => Record<string, unknown>[] } {
  let written = '';
  const log = createLog({ level, destination: { write: (line) => void (written += line) } });
  return { log, text: () => written, lines: () => written.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const SECRET = 'c0ffee'.repeat(10);

describe('a secret in a log line', () => {
  it.each(SECRET_KEYS)('is removed by its name, at the top and one level down: %s', (key) => {
    const { log, text, lines } = record();
    log.info({ [key]: SECRET }, 'at the top');
    log.info({ inner: { [key]: SECRET, other: 1 } }, 'one level down');
    log.info({ list: [{ a: 1 }], [key]: { nested: SECRET } }, 'an object under the name');
    log.child({ [key]: SECRET }).info('bound to a child');
    log.child({ inner: { [key]: SECRET } }).info('bound to a child, one level down');
    expect(text()).not.toContain(SECRET);
    expect(lines()[0]).toMatchObject({ [key]: '[secret]', msg: 'at the top' });
    expect(lines()[1]).toMatchObject({ inner: { [key]: '[secret]', other: 1 } });
  });

  it.each(SECRET_KEYS)('is removed at any depth, from lists, errors and their causes, in any case of its letters: %s', (key) => {
    const { log, text, lines } = record();
    log.info({ a: { b: { c: { d: [{ [key]: SECRET, other: 'kept' }] } } } }, 'deep');
    log.info({ a: { b: { [key.toUpperCase()]: SECRET, [key.toLowerCase()]: [SECRET] } } }, 'letters');
    log.error({ err: Object.assign(new Error('broken'), { response: { config: { headers: { [key]: SECRET } } } }) }, 'an error');
    log.error({ failures: [Object.assign(new Error('broken'), { inner: { [key]: SECRET } })] }, 'errors in a list');
    log.child({ a: { b: { [key]: SECRET } } }).info('bound to a child');
    expect(lines()).toHaveLength(5);
    expect(text()).not.toContain(SECRET);
    expect(lines()[0]).toMatchObject({ a: { b: { c: { d: [{ [key]: '[secret]', other: 'kept' }] } } }, msg: 'deep' });
  });

  it('is removed from an error that carries it', () => {
    const { log, text } = record();
    for (const key of SECRET_KEYS) log.error({ err: Object.assign(new Error('broken'), { [key]: SECRET }) }, 'failed');
    expect(text()).toContain('broken');
    expect(text()).not.toContain(SECRET);
  });

  it('never reaches the destination under any of the names, whatever stands beside it', () => {
    const privateKey = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `5ec7e7${Buffer.from(bytes).toString('hex')}`);
    const beside = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
    const level = fc.constantFrom('trace', 'debug', 'info', 'warn', 'error', 'fatal' as const);
    fc.assert(
      fc.property(privateKey, fc.subarray([...SECRET_KEYS], { minLength: 1 }), beside, fc.stringMatching(/^[a-z]{1,8}$/), level, (secret, names, others, parent, at) => {
        const { log, text } = record();
        const secrets = Object.fromEntries(names.map((name) => [name, secret]));
        log[at]({ ...others, ...secrets }, 'top');
        log[at]({ ...others, [parent]: { ...others, ...secrets } }, 'below');
        expect(text().split('\n')).toHaveLength(3);
        expect(text()).not.toContain(secret);
      }),
    );
  });

  it('is not removed from the caller’s own object', () => {
    const { log } = record();
    const account = { privateKey: SECRET, inner: { password: SECRET } };
    log.info(account, 'logged');
    expect(account).toEqual({ privateKey: SECRET, inner: { password: SECRET } });
  });
});

describe('the tail', () => {
  it('gets the same lines as the destination, redacted', () => {
    const tail = createLogTail();
    const written: string[] = [];
    const log = createLog({ level: 'info', tail, destination: { write: (line) => void written.push(line) } });
    log.debug('below the level');
    log.info({ deep: { er: { password: SECRET } } }, 'one');
    log.child({ authId: 'x' }).warn('two');
    expect(tail.lines().map((line) => `${line}\n`)).toEqual(written);
    expect(tail.lines()).toHaveLength(2);
    expect(tail.lines().join('')).not.toContain(SECRET);
  });
});

describe('a log line', () => {
  it('is one JSON object with time, level, a constant message and the variables as keys', () => {
    const { log, lines } = record();
    log.info({ accounts: 3, err: new AppError('funds', 'empty') }, 'batch made');
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ level: 30, msg: 'batch made', accounts: 3, err: { message: 'empty', kind: 'funds' } });
    expect(new Date(String(lines()[0]?.time)).getTime()).not.toBeNaN();
    expect(lines()[0]).not.toHaveProperty('pid');
    expect(lines()[0]).not.toHaveProperty('hostname');
  });

  it('below the level is not written', () => {
    const { log, text } = record('warn');
    log.info('quiet');
    expect(text()).toBe('');
    log.warn('loud');
    expect(text()).toContain('loud');
  });
});
