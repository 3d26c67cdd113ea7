import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { MAX_QUEUED_BYTES, eventFrame, openStreamClient } from '../../src/http/streamClient.js';

/** A response that nobody reads: what is written to it lies in its queue. */
function unread() {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const seen = { ended: 0, slow: [] as number[] };
  const client = openStreamClient(response, { onEnd: () => (seen.ended += 1), onSlow: (bytes) => seen.slow.push(bytes) });
  return { response, client, seen };
}

const frame = (bytes: number): Buffer => Buffer.alloc(bytes, 0x20);

describe('a client that reads nothing', () => {
  it('holds at most the bound, then is disconnected and gets nothing more', () => {
    const { response, client, seen } = unread();
    for (let i = 0; i < 10_000; i++) {
      client.send(frame(1_000));
      expect(response.writableLength).toBeLessThanOrEqual(MAX_QUEUED_BYTES + 1_000);
    }
    expect(seen.slow).toHaveLength(1);
    expect(response.destroyed).toBe(true);
  });

  it('is owed what was there before it came, and beyond it no more than the bound', () => {
    const { response, client, seen } = unread();
    client.begin(Array.from({ length: 1_000 }, () => frame(1_000)));
    expect(seen.slow).toEqual([]);
    for (let i = 0; i < 10_000; i++) client.send(frame(1_000));
    expect(seen.slow).toHaveLength(1);
    expect(response.writableLength).toBeLessThan(1_000_000 + 2 * MAX_QUEUED_BYTES);
  });
});

it('who has read all gets a burst larger than the bound at once', () => {
  const { client, seen } = unread();
  client.send(frame(2 * MAX_QUEUED_BYTES));
  expect(seen.slow).toEqual([]);
});

it('who went before the stream began is over at once', () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.destroy();
  let ended = 0;
  openStreamClient(response, { onEnd: () => (ended += 1), onSlow: () => undefined });
  expect(ended).toBe(1);
});

it('an event is its name and its data, a line each', () => {
  expect(eventFrame('status', '{"a":1}').toString()).toBe('event: status\ndata: {"a":1}\n\n');
});
