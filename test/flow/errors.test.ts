import { describe, expect, it } from 'vitest';
import { AppError, type ErrorKind } from '../../src/errors.js';
import { classifyChainError, classifyHttpFailure, classifyThrown, saysAlreadySent } from '../../src/flow/errors.js';

const wrapped = (inner: string): string => `[Error Code: 1101] error caused by: 1 error occurred:\n\t* transaction execute failed: [Error Code: 1101] cadence runtime error: Execution failed:\n${inner}\n`;

describe('a sealed failure', () => {
  it.each<[ErrorKind, string, string]>([
    ['sequence', 'a wrong sequence number', '[Error Code: 1007] error caused by: 1 error occurred:\n\t* checking sequence number failed: [Error Code: 1007] invalid proposal key: public key 0 on account 01 has sequence number 4, but given 9'],
    ['data', 'a wrong key', '[Error Code: 1006] invalid proposal key'],
    ['data', 'a wrong payload signature', '[Error Code: 1008] invalid payload key'],
    ['data', 'a wrong envelope signature', '[Error Code: 1009] invalid envelope key'],
    ['computation', 'too much computation', '[Error Code: 1110] computation exceeds limit (9999)'],
    ['computation', 'too much computation inside Cadence', wrapped('error: [Error Code: 1110] computation exceeds limit (9999)')],
    ['computation', 'too much memory', '[Error Code: 1111] memory usage exceeds limit'],
    ['computation', 'too many events', '[Error Code: 1105] total event byte size exceeds limit'],
    ['funds', 'a poor payer', '[Error Code: 1118] payer ... has insufficient balance'],
    ['funds', 'a payer whose storage is full', '[Error Code: 1103] The account with address (f8d6) uses 2 bytes of storage which is over its capacity (1 bytes).'],
    ['funds', 'a vault with too little', wrapped('error: pre-condition failed: FungibleToken.Vault.withdraw: Cannot withdraw tokens! The amount requested to be withdrawn (5.0) is greater than the balance')],
    ['expired', 'an old reference block', '[Error Code: 1003] transaction is expired'],
    ['chain-state', 'any other panic', wrapped('error: panic: createAllVault: something else is stored')],
    ['chain-state', 'a code without a rule', '[Error Code: 1201] account not found'],
    ['chain-state', 'no words at all', ''],
  ])('is %s for %s', (kind, _, text) => {
    expect(classifyChainError(text).kind).toBe(kind);
  });

  it('is not what a contract makes it look like by panicking with a code', () => {
    expect(classifyChainError(wrapped('error: panic: [Error Code: 1007] invalid proposal key')).kind).toBe('chain-state');
  });

  it('keeps the line that names the cause, however long the source code before it is', () => {
    const source = ' --> 12:7:114\n  |\n7 | let x = 1\n'.repeat(200);
    expect(classifyChainError(wrapped(`${source}error: panic: too late`)).message).toMatch(/error: panic: too late$/);
  });

  it('keeps the words of the chain, cut to a line that a log can hold', () => {
    const error = classifyChainError(`[Error Code: 1007] ${'x'.repeat(10_000)}`, 'transaction 12');
    expect(error.message).toContain('[Error Code: 1007]');
    expect(error.message.length).toBeLessThan(1_000);
    expect(error.where).toBe('transaction 12');
  });
});

describe('an HTTP failure', () => {
  const classify = (status: number, text = '', retryAfter: string | null = null): AppError => classifyHttpFailure({ status, text, retryAfter, where: 'node' });

  it.each<[ErrorKind, number, string]>([
    ['rate-limit', 429, 'slow down'],
    ['network', 408, ''],
    ['network', 500, 'something broke'],
    ['network', 502, '<html>bad gateway</html>'],
    ['network', 503, ''],
    ['network', 504, ''],
    ['usage', 401, ''],
    ['usage', 403, ''],
    ['expired', 500, 'transaction is expired: ref_height=3 final_height=900'],
    ['network', 500, 'unknown reference block'],
    ['network', 400, 'Out of range: start height 700 is greater than the last sealed block height 630'],
    ['network', 500, 'Invalid Flow request: pending block with ID 8be7 is currently being executed'],
    ['data', 400, 'address 0000000000000001 is invalid for chain flow-emulator'],
    ['computation', 400, 'Invalid Flow argument: [Error Code: 1110] computation exceeds limit (100000)'],
    ['computation', 400, `Invalid Flow argument: ${wrapped('error: [Error Code: 1110] computation exceeds limit')}`],
    ['chain-state', 400, `Invalid Flow argument: ${wrapped('error: failed to load type')}`],
    ['internal', 400, 'invalid transaction: bad script'],
    ['internal', 418, ''],
  ])('is %s for %d %j', (kind, status, text) => {
    expect(classify(status, text).kind).toBe(kind);
  });

  it('a 429 says how long to wait, in seconds or as a date', () => {
    expect(classify(429, '', '2').retryAfterMs).toBe(2_000);
    expect(classify(429, '', '0.5').retryAfterMs).toBe(500);
    const inTenSeconds = classify(429, '', new Date(Date.now() + 10_000).toUTCString()).retryAfterMs ?? 0;
    expect(inTenSeconds).toBeGreaterThan(8_000);
    expect(inTenSeconds).toBeLessThanOrEqual(10_000);
  });

  it.each([null, '', 'soon', '-5'])('a 429 with Retry-After %j makes nobody wait into the past', (header) => {
    expect(classify(429, '', header).retryAfterMs ?? 0).toBe(0);
  });
});

describe('a call without an answer', () => {
  it.each([
    ['a timeout', Object.assign(new Error('too late'), { name: 'TimeoutError' }), 'in time'],
    ['a refused connection', new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }), 'ECONNREFUSED'],
    ['a broken answer', new TypeError('terminated'), 'terminated'],
    ['a thrown text', 'gone', 'gone'],
  ])('is network for %s', (_, thrown, says) => {
    const error = classifyThrown(thrown, 'node');
    expect(error.kind).toBe('network');
    expect(error.message).toContain(says);
  });

  it('an AppError passes as it is', () => {
    const error = new AppError('funds', 'none');
    expect(classifyThrown(error, 'node')).toBe(error);
  });
});

it('an answer that the transaction is already there is recognised', () => {
  expect(saysAlreadySent('transaction with ID ab has already been submitted')).toBe(true);
  expect(saysAlreadySent('transaction is expired')).toBe(false);
});
