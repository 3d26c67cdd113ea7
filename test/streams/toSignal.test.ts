import { describe, expect, it } from 'vitest';
import { clipForLog, toCanaryNonce, toControlSignal, toRealtimeSignal, toUserSignal } from '../../src/streams/toSignal.js';
import { ANN, SIGNALS } from './marbles.js';

describe('a payload of wallet_sync', () => {
  it('that is a uuid rings for that user, in lower case', () => {
    expect(toUserSignal(ANN)).toEqual(SIGNALS.a);
    expect(toUserSignal('ABCDEF01-1111-4111-8111-111111111111')).toMatchObject({ authId: 'abcdef01-1111-4111-8111-111111111111' });
  });

  it.each([undefined, '', 'null', ANN.slice(1), `${ANN}x`, `${ANN}\n`, `{"auth_id":"${ANN}"}`, 'x'.repeat(7_999), 5, null, {}])('%# that is anything else is no signal', (payload) => {
    expect(toUserSignal(payload)).toBeNull();
  });
});

describe('a payload of wallet_sync_control', () => {
  it.each([
    ['resync', SIGNALS.r],
    [' resync \n', SIGNALS.r],
    [`resync:${ANN}`, SIGNALS.A],
    [`resync: ${ANN}`, SIGNALS.A],
    ['pause', SIGNALS.p],
    ['resume', SIGNALS.m],
  ])('%j is a command and keeps its sender', (payload, signal) => {
    expect(toControlSignal(payload, 7)).toEqual(signal);
  });

  it.each([undefined, '', 'Resync', 'resync:', 'resync:me', `resync:${ANN}:${ANN}`, 'pause now', 'stop', `pause${'e'.repeat(7_000)}`, null, 1])('%# that is no command is no signal', (payload) => {
    expect(toControlSignal(payload, 7)).toBeNull();
  });
});

describe('a Realtime record', () => {
  it('of a wallet rings for its user, whatever else it holds', () => {
    expect(toRealtimeSignal({ id: 1, auth_id: ANN, flow_private_key: 'x' })).toEqual({ ...SIGNALS.a, source: 'realtime' });
  });

  it.each([undefined, null, {}, { auth_id: null }, { auth_id: 'x' }, [], ANN])('%# without a usable auth_id is no signal', (record) => {
    expect(toRealtimeSignal(record)).toBeNull();
  });

  it('of a canary gives its nonce, or null', () => {
    expect(toCanaryNonce({ id: 1, nonce: 'n' })).toBe('n');
    expect(toCanaryNonce({ nonce: 5 })).toBeNull();
    expect(toCanaryNonce({ nonce: 'x'.repeat(5_000) })).toBeNull();
    expect(toCanaryNonce(undefined)).toBeNull();
  });
});

describe('a malformed payload in the log', () => {
  it('is never whole when it is long', () => {
    expect(clipForLog('x'.repeat(7_999))).toEqual({ head: 'x'.repeat(64), length: 7_999 });
  });

  it('shows the names of a record and none of its values', () => {
    expect(clipForLog({ auth_id: null, flow_private_key: 'secret' }).head).toBe('{auth_id,flow_private_key}');
    expect(clipForLog(undefined).head).toBe('undefined');
  });
});
