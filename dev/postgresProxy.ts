import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createGate } from './gate.js';

export interface PostgresProxy {
  readonly port: number;
  /** The same connection string, but through the proxy. */
  through(url: string): string;
  readonly faults: {
    /** On: connections that LISTEN are cut, now and as often as they come back. Others work on. */
    refuseListening(on: boolean): void;
    /** On: a LISTEN from then on is accepted and hears nothing, as through a transaction pooler. */
    deafen(on: boolean): void;
    /** Cuts the connections that LISTEN, once: they may come back. */
    cutListeners(): void;
    /** Cuts all connections once. */
    cutAll(): void;
    /**
     * On: nothing flows either way, not even a connection's end, and new connections are accepted without an answer. Off: what
     * waited flows in the order in which it came. What a client sent before it was killed arrives then, and its session ends after it.
     */
    freeze(on: boolean): void;
  };
  stop(): Promise<void>;
}

/** Stands before Postgres on a free port and breaks connections on request. Bytes pass unchanged. */
export async function startPostgresProxy(target: { readonly port: number }): Promise<PostgresProxy> {
  const pairs = new Map<Socket, { upstream: Socket; listens: boolean }>();
  const gate = createGate();
  let refusesListening = false;
  let isDeaf = false;

  const cut = (client: Socket): void => {
    pairs.get(client)?.upstream.destroy();
    client.destroy();
    pairs.delete(client);
  };
  const cutListeners = (): void => {
    for (const [client, pair] of [...pairs]) if (pair.listens) cut(client);
  };

  const server = createServer((client) => {
    const pair = { upstream: connect(target.port, '127.0.0.1'), listens: false };
    pairs.set(client, pair);
    const toServer = (chunk: Buffer): void => {
      // node-postgres sends a simple query as one write: the word is never split over two chunks.
      if (chunk.includes('LISTEN ')) pair.listens = true;
      if (pair.listens && refusesListening) cut(client);
      else pair.upstream.write(isDeaf ? mislead(chunk) : chunk);
    };
    client.on('data', (chunk: Buffer) => gate.through(() => toServer(chunk)));
    pair.upstream.on('data', (chunk: Buffer) => gate.through(() => client.write(chunk)));
    for (const [socket, other] of [[client, pair.upstream], [pair.upstream, client]] as const) {
      // The close that follows an error ends the pair.
      socket.on('error', () => undefined);
      socket.on('close', () =>
        gate.through(() => {
          pairs.delete(client);
          // What was sent last arrives first.
          other.destroySoon();
        }),
      );
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    through(url) {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(port);
      return proxied.toString();
    },
    faults: {
      refuseListening(on) {
        refusesListening = on;
        if (on) cutListeners();
      },
      deafen: (on) => void (isDeaf = on),
      cutListeners,
      cutAll: () => [...pairs.keys()].forEach(cut),
      freeze: (on) => gate.set(on ? 'shut' : 'open'),
    },
    async stop() {
      for (const client of [...pairs.keys()]) cut(client);
      server.close();
      await once(server, 'close');
    },
  };
}

/** A LISTEN on a channel of the same length that nobody notifies. */
function mislead(chunk: Buffer): Buffer {
  return chunk.includes('LISTEN ') ? Buffer.from(chunk.toString('latin1').replace(/LISTEN ("?)w/g, 'LISTEN $1x'), 'latin1') : chunk;
}
