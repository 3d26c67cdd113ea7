import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { NEVER, Subject } from 'rxjs';
import { expect, test } from 'vitest';
import type WebSocket from 'ws';
import { AppError } from '../../src/errors.js';
import { createLog } from '../../src/log.js';
import { coalesceWhileBusy } from '../../src/streams/coalesceWhileBusy.js';
import { joinRealtime, type JoinEvent } from '../../src/streams/joinRealtime.js';
import type { ListenEvent } from '../../src/streams/listenToPostgres.js';
import { followListening } from '../../src/streams/notifySource.js';
import { createRealtimeClient } from '../../src/streams/realtimeClient.js';
import { followRealtime } from '../../src/streams/realtimeSource.js';
import type { Signal } from '../../src/streams/signal.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, hostileText, likeOneOf, toJson } from '../support/hostile.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ID = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';

function refuseOdd(signal: Signal): void {
  if (signal.kind === 'user' && signal.authId !== null) expect(signal.authId).toMatch(UUID);
  if (signal.kind === 'control' && signal.command?.name === 'resync' && 'authId' in signal.command) expect(signal.command.authId).toMatch(UUID);
}

test('10,000 notifications on all channels: a signal that names a user or a known command, or nothing', async () => {
  const lines: string[] = [];
  const listening$ = new Subject<ListenEvent>();
  const log = createLog({ level: 'warn', pretty: false, destination: { write: (line: string) => void lines.push(line) } } as never);
  const sub = followListening(listening$, { sendHeartbeat: () => NEVER, log }).subscribe(refuseOdd);
  listening$.next({ type: 'listening' });
  const text = fc.oneof(hostileText, fc.constantFrom(ID, ID.toUpperCase(), `resync:${ID}`, ' pause ', 'resume', 'resync'), fc.tuple(fc.constantFrom('resync:', 'pause', ID), hostileText).map((parts) => parts.join('')));
  await fuzz(fc.record({ channel: fc.constantFrom('wallet_sync', 'wallet_sync_control', 'wallet_sync_changed', 'wallet_sync_heartbeat', '__proto__'), payload: fc.option(text, { nil: undefined }), senderPid: fc.integer() }), (heard) => {
    lines.length = 0;
    listening$.next({ type: 'notification', ...heard });
    // A payload has up to 8,000 bytes of anybody's: little of it is written down.
    expect(lines.join('').length).toBeLessThan(1_000);
  });
  sub.unsubscribe();
}, FUZZ_TIMEOUT_MS);

test('10,000 Realtime records: a signal that names a user, or nothing, and no value in the log', async () => {
  const lines: string[] = [];
  const joining$ = new Subject<JoinEvent>();
  const log = createLog({ level: 'warn', pretty: false, destination: { write: (line: string) => void lines.push(line) } } as never);
  const sub = followRealtime(joining$, { sendCanary: () => NEVER, log }).subscribe(refuseOdd);
  joining$.next({ type: 'joined' });
  const record = likeOneOf({ id: 7, auth_id: ID, created_at: '2026-01-01T00:00:00Z', flow_address: null, flow_private_key: 'v1:sealed', flow_public_key: null }, { id: 1, instance: ID, nonce: ID });
  await fuzz(fc.tuple(fc.constantFrom('wallet' as const, 'canary' as const), record), ([type, row]) => {
    lines.length = 0;
    joining$.next({ type, record: row });
    expect(lines.join('')).not.toContain('v1:sealed');
  });
  sub.unsubscribe();
}, FUZZ_TIMEOUT_MS);

/** A socket without a network: opens by itself, answers each join as Realtime does, and hands over what a test says came. */
class Socket extends EventEmitter {
  static last: Socket;
  readonly OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = 'arraybuffer';
  onopen: (() => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  topic = '';
  constructor() {
    super();
    Socket.last = this;
    this.on('message', (data: unknown) => this.onmessage?.({ data }));
    queueMicrotask(() => {
      this.readyState = 1;
      this.onopen?.();
    });
  }
  send(text: string): void {
    const [joinRef, ref, topic, event, payload] = JSON.parse(text) as [string, string, string, string, { config?: { postgres_changes?: object[] } }];
    this.topic = topic;
    const response = event === 'phx_join' ? { postgres_changes: (payload.config?.postgres_changes ?? []).map((filter, id) => ({ ...filter, id })) } : {};
    queueMicrotask(() => this.emit('message', JSON.stringify([joinRef, ref, topic, 'phx_reply', { status: 'ok', response }])));
  }
  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code: 1000, reason: '', wasClean: true });
  }
  terminate(): void {
    this.close();
  }
}

test('10,000 Realtime frames: an event, or a lost socket that is joined anew; none ends the process', async () => {
  const client = createRealtimeClient({ url: 'http://127.0.0.1:1', key: 'k'.repeat(40), transport: Socket as unknown as typeof WebSocket });
  const join$ = joinRealtime({ client, joinWithinMs: 5_000, leaveWithinMs: 50 });
  const join = (): Promise<{ end(): void; isLost(): boolean }> =>
    new Promise((resolve, reject) => {
      let isLost = false;
      const sub = join$.subscribe({
        next: (event) => {
          if (event.type === 'joined') resolve({ end: () => sub.unsubscribe(), isLost: () => isLost });
        },
        error: (error: unknown) => {
          isLost = true;
          if (!(error instanceof AppError)) reject(error as Error);
        },
      });
    });
  const change = { type: 'INSERT', schema: 'public', table: 'wallet', commit_timestamp: '2026-01-01T00:00:00Z', columns: [{ name: 'id', type: 'int8' }, { name: 'auth_id', type: 'uuid' }], record: { id: 7, auth_id: ID }, errors: null };
  const samples = [
    ['1', null, 'TOPIC', 'postgres_changes', { ids: [0], data: change }],
    ['1', null, 'TOPIC', 'system', { status: 'ok', message: 'Subscribed', extension: 'postgres_changes', channel: 'x' }],
    ['1', '1', 'TOPIC', 'phx_reply', { status: 'ok', response: { postgres_changes: [] } }],
    ['1', '1', 'TOPIC', 'phx_error', {}],
    [null, null, 'phoenix', 'heartbeat', {}],
  ];
  let channel = await join();
  let losses = 0;
  const frames = bytesLike(likeOneOf(...samples).map(toJson)).chain((bytes) => fc.constantFrom<unknown>(bytes.toString(), bytes.toString(), bytes.toString(), new Uint8Array(bytes).buffer));
  await fuzz(frames, async (frame) => {
    if (channel.isLost() || Socket.last.readyState === 3) {
      losses += 1;
      channel.end();
      channel = await join();
    }
    Socket.last.emit('message', typeof frame === 'string' ? frame.replace('TOPIC', Socket.last.topic) : frame);
  }, { leftBytes: 64_000_000 });
  channel.end();
  expect(losses).toBeGreaterThan(100);
}, FUZZ_TIMEOUT_MS);

test('a flood of a million users who never were leaves a few thousand in memory', () => {
  const source$ = new Subject<string | null>();
  const release$ = new Subject<never>();
  const batches: (readonly (string | null)[])[] = [];
  const work = (batch: readonly (string | null)[]): Subject<never> => {
    batches.push(batch);
    return release$;
  };
  const sub = source$.pipe(coalesceWhileBusy<string | null, never>({ keyOf: (id) => id ?? '', work, onError: (error) => { throw error as Error; }, overflow: { most: 1_000, item: null } })).subscribe();
  for (let n = 0; n < 1_000_000; n += 1) source$.next(`user ${n}`);
  release$.complete();
  expect(batches).toEqual([['user 0'], [null]]);
  sub.unsubscribe();
}, FUZZ_TIMEOUT_MS);
