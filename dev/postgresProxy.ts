import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface PostgresProxy {
  readonly port: number;
  /** The same connection string, but through the proxy. */
  through(url: string): string;
  readonly faults: {
    /** On: connections that LISTEN are cut, now and as often as they come back. Others work on. */
    refuseListening(on: boolean): void;
    /** Cuts all connections once. */
    cutAll(): void;
  };
  stop(): Promise<void>;
}

/** Stands before Postgres on a free port and breaks connections on request. Bytes pass unchanged. */
export async function startPostgresProxy(target: { readonly port: number }): Promise<PostgresProxy> {
  const pairs = new Map<Socket, { upstream: Socket; listens: boolean }>();
  let refusesListening = false;

  const cut = (client: Socket): void => {
    pairs.get(client)?.upstream.destroy();
    client.destroy();
    pairs.delete(client);
  };

  const server = createServer((client) => {
    const pair = { upstream: connect(target.port, '127.0.0.1'), listens: false };
    pairs.set(client, pair);
    client.on('data', (chunk: Buffer) => {
      // node-postgres sends a simple query as one write: the word is never split over two chunks.
      if (chunk.includes('LISTEN ')) pair.listens = true;
      if (pair.listens && refusesListening) cut(client);
      else pair.upstream.write(chunk);
    });
    pair.upstream.on('data', (chunk: Buffer) => client.write(chunk));
    for (const socket of [client, pair.upstream]) socket.on('error', () => cut(client)).on('close', () => cut(client));
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
        if (on) for (const [client, pair] of [...pairs]) if (pair.listens) cut(client);
      },
      cutAll: () => [...pairs.keys()].forEach(cut),
    },
    async stop() {
      for (const client of [...pairs.keys()]) cut(client);
      server.close();
      await once(server, 'close');
    },
  };
}
