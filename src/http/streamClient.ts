import type { ServerResponse } from 'node:http';
import { NO_STORE, SECURITY_HEADERS } from './headers.js';

/** One who reads a stream of server-sent events. */
export interface StreamClient {
  /** Queues a frame. Who has more than the bound unread is disconnected instead. */
  send(frame: Buffer): void;
  /** What was there before it came, owed to it beyond the bound until it has read it. */
  begin(frames: readonly Buffer[]): void;
  /** Ends the stream in order. */
  end(): void;
}

/** Frames that a client may have unread. What the page shows of a burst is less, and it reads anew when it connects again. */
export const MAX_QUEUED_BYTES = 256 * 1024;

export interface StreamClientOptions {
  /** Called once when it is over, however it ended. */
  readonly onEnd: () => void;
  /** Called when it did not read what it was sent. */
  readonly onSlow: (queuedBytes: number) => void;
}

/** A server-sent event as its bytes. `data` has no line end in it. */
export const eventFrame = (event: string, data: string): Buffer => Buffer.from(`event: ${event}\ndata: ${data}\n\n`);

/** Nothing, so that proxies and readers see that the stream lives. */
export const KEEP_ALIVE = Buffer.from(': alive\n\n');
/** A browser whose stream has ended connects again after so long. */
const RETRY = Buffer.from('retry: 2000\n\n');

/** Opens a stream on a response. What is unread lies in the socket's queue alone, and the frames are shared by all clients. */
export function openStreamClient(response: ServerResponse, options: StreamClientOptions): StreamClient {
  let owed = 0;
  let isOver = false;
  response.on('drain', () => (owed = 0));
  response.on('error', () => undefined);
  const over = (): void => {
    isOver = true;
    options.onEnd();
  };
  response.once('close', over);
  // It may have gone while the routes were loading.
  if (response.destroyed) over();
  response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream', 'cache-control': NO_STORE, 'x-accel-buffering': 'no' });
  response.write(RETRY);

  return {
    send(frame) {
      if (isOver) return;
      const queued = response.writableLength;
      // What it had not read before this one: a burst within one poll is nobody's slowness.
      if (queued > MAX_QUEUED_BYTES + owed) {
        isOver = true;
        options.onSlow(queued);
        response.destroy();
        return;
      }
      response.write(frame);
    },
    begin(frames) {
      for (const frame of frames) owed += frame.length;
      for (const frame of frames) if (!isOver) response.write(frame);
    },
    end() {
      if (isOver) return;
      response.end();
    },
  };
}
