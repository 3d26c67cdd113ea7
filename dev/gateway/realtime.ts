import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { WebSocketServer } from 'ws';
import { followChanges } from './changes.js';
import { openConnection, type Connection } from './channels.js';
import type { FaultState } from './faults.js';
import type { Version } from './frames.js';
import type { Claims, Keys } from './keys.js';
import { createViewers } from './visibility.js';

export const PUBLICATION = 'supabase_realtime';
/** A client's longest message; joins and heartbeats have a few hundred bytes. */
const MAX_MESSAGE_BYTES = 1_048_576;

export interface RealtimeOptions {
  readonly server: Server;
  /** Connects as supabase_admin, as the real Realtime does. */
  readonly pool: pg.Pool;
  readonly connectionString: string;
  readonly keys: Keys;
  readonly faults: FaultState;
}

export interface Realtime {
  /** Cuts every open socket. */
  cutSockets(): void;
  stop(): Promise<void>;
}

/** Serves `/realtime/v1/websocket` on an HTTP server, fed by the publication's change stream. Throws where the stream does not start. */
export async function serveRealtime(options: RealtimeOptions): Promise<Realtime> {
  const { pool, keys, faults } = options;
  const connections = new Set<Connection>();
  const viewers = createViewers(pool);
  let lastId = 0;

  const changes = await followChanges({
    connectionString: options.connectionString,
    publication: PUBLICATION,
    async onChange(change) {
      if (faults.changesMuted || connections.size === 0) return;
      const view = viewers(change);
      for (const connection of [...connections]) {
        // A view that can't be read (table dropped, database going down) costs this delivery, as Realtime promises none.
        await connection.deliver(change, view).catch(() => undefined);
      }
    },
  });

  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', () => stream.destroy());
    const url = new URL(request.url ?? '/', 'http://gateway');
    if (url.pathname !== '/realtime/v1/websocket') return refuse(stream, '404 Not Found');
    if (faults.socketsRefused) return refuse(stream, '503 Service Unavailable');
    let claims: Claims;
    try {
      claims = keys.verify(url.searchParams.get('apikey') ?? '');
    } catch {
      return refuse(stream, '401 Unauthorized');
    }
    const version: Version = url.searchParams.get('vsn') === '2.0.0' ? '2.0.0' : '1.0.0';
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const connection = openConnection({ socket, version, claims, keys, isPublished, live: changes.live, nextId: () => ++lastId });
      connections.add(connection);
      socket.on('error', () => socket.terminate());
      socket.on('close', () => connections.delete(connection));
    });
  };
  options.server.on('upgrade', onUpgrade);

  async function isPublished(schema: string, table: string | undefined): Promise<boolean> {
    const found = await pool.query(
      `select from pg_publication_tables where pubname = $1 and ($2 = '*' or schemaname = $2) and ($3 = '*' or tablename = $3) limit 1`,
      [PUBLICATION, schema, table ?? '*']);
    return found.rows.length > 0;
  }

  const cutSockets = (): void => {
    for (const connection of connections) connection.cut();
  };
  return {
    cutSockets,
    async stop() {
      options.server.off('upgrade', onUpgrade);
      cutSockets();
      await changes.stop();
      sockets.close();
    },
  };
}

function refuse(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
