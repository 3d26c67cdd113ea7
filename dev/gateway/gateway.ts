import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import pg from 'pg';
import type { Postgres } from '../postgres.js';
import { createAuthAdmin } from './authAdmin.js';
import { createFaults, type Faults } from './faults.js';
import { createKeys } from './keys.js';
import { serveRealtime, type Realtime } from './realtime.js';
import { createUsers } from './users.js';

export interface GatewayOptions {
  readonly postgres: Pick<Postgres, 'url'>;
}

export interface Gateway {
  /** As SUPABASE_URL. */
  readonly url: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** The access token of a signed-in user, valid for an hour. */
  userToken(authId: string): string;
  readonly faults: Faults;
  /** Cuts all sockets, ends the change stream (its slot goes with it) and the connections. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Stands in for a hosted project's API gateway on a free port of 127.0.0.1: the Auth admin API and Realtime's postgres_changes, both from the
 * real database behind it. Meant to be talked to by the real supabase-js only. Throws where the port or the change stream fails.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const keys = createKeys();
  const authPool = openPool(options.postgres.url('supabase_auth_admin'));
  const adminPool = openPool(options.postgres.url('supabase_admin'));
  let realtime: Realtime | undefined;
  const { faults, state } = createFaults(() => realtime?.cutSockets());

  const app = new Hono();
  app.route('/auth/v1', createAuthAdmin(createUsers(authPool), keys, state));
  const answer = getRequestListener(app.fetch);
  const server = createServer((request, response) => void answer(request, response));

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await realtime?.stop();
      await closeServer(server);
      await Promise.all([authPool.end(), adminPool.end()]);
    })();
    return stopping;
  };

  try {
    realtime = await serveRealtime({ server, pool: adminPool, connectionString: options.postgres.url('supabase_admin'), keys, faults: state });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    anonKey: keys.anonKey,
    serviceRoleKey: keys.serviceRoleKey,
    userToken: keys.userToken,
    faults,
    stop,
  };
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4, application_name: 'dev gateway' });
  // An idle connection that dies with a restart of the server is replaced by the next statement.
  pool.on('error', () => undefined);
  return pool;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
