import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { Log } from '../log.js';
import type { AccessLog } from './accessLog.js';
import { refuse } from './answers.js';
import type { RouteEnv } from './deps.js';
import { addressOf } from './guard.js';
import { KEEP_ALIVE, openStreamClient, type StreamClient } from './streamClient.js';

/** Proxies cut what is silent for 30 s or more. */
const KEEP_ALIVE_MS = 15_000;

/** All clients of one stream. */
export interface Streams {
  /** Connects a caller and hands it to `begin`; `onEnd` when it has gone. Says no where there are too many. */
  open(c: Context<RouteEnv>, begin: (client: StreamClient) => void, onEnd?: (client: StreamClient) => void): Response;
  /** The same bytes for everyone. */
  send(frame: Buffer): void;
  readonly size: number;
  /** Ends them all, and takes no more. */
  stop(): void;
}

export interface StreamsOptions {
  /** For the log. */
  readonly name: string;
  readonly log: Log;
  readonly accessLog: AccessLog;
  readonly maxClients: number;
}

export function createStreams({ name, log, accessLog, maxClients }: StreamsOptions): Streams {
  const clients = new Set<StreamClient>();
  let isStopped = false;
  const send = (frame: Buffer): void => {
    for (const client of clients) client.send(frame);
  };
  const keepAlive = setInterval(() => send(KEEP_ALIVE), KEEP_ALIVE_MS);
  keepAlive.unref();

  return {
    open(c, begin, onEnd) {
      if (c.req.method !== 'GET') return refuse(c, 405, 'a stream can only be read', 'use GET');
      if (isStopped) return refuse(c, 503, 'this instance is stopping', 'connect to another one');
      if (clients.size >= maxClients) return refuse(c, 503, `${maxClients} clients read this stream already`, 'close some of them');
      const remote = addressOf(c);
      const client = openStreamClient(c.env.outgoing as ServerResponse, {
        onEnd: () => {
          clients.delete(client);
          onEnd?.(client);
        },
        onSlow: (queuedBytes) => log.warn({ stream: name, remote, queuedBytes }, 'stream client did not read and was disconnected'),
      });
      clients.add(client);
      accessLog.note(c.env.outgoing as ServerResponse);
      begin(client);
      // The stream writes to the socket itself, which the framework must leave alone.
      return new Response(null, { headers: { 'x-hono-already-sent': 'true' } });
    },
    send,
    get size() {
      return clients.size;
    },
    stop() {
      isStopped = true;
      clearInterval(keepAlive);
      for (const client of clients) client.end();
    },
  };
}
