import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startGateway, type Gateway } from '../../../dev/gateway/gateway.js';
import { createLog, type Log } from '../../../src/log.js';
import type { User, UserSource } from '../../../src/users/source.js';
import { startDatabase, type Database } from '../../support/database.js';

/** What becomes of a request: passed on, answered otherwise, cut off in the middle of its body, or never answered. */
export type Fate = 'pass' | 'cut' | 'hang' | 'reset' | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

export interface UsersWorld {
  readonly database: Database;
  readonly gateway: Gateway;
  /** As SUPABASE_URL: stands before the gateway. */
  readonly url: string;
  readonly settings: { readonly SUPABASE_URL: string; readonly SUPABASE_SERVICE_ROLE_KEY: string };
  readonly log: Log;
  /** The lines logged so far. */
  readonly lines: Record<string, unknown>[];
  /** Called before each request, with its path. Null: all pass. */
  before: ((path: string) => Fate | Promise<Fate>) | null;
  /** The most rows that a page of users has. */
  cap: number;
  /** Paths asked for since the last clear. */
  readonly requests: string[];
  /** Inserts users as the Auth server stores them; `sets`: columns, as SQL by `n`, the user's number from 1. Returns their ids. */
  addUsers(count: number, sets?: Readonly<Record<string, string>>): Promise<string[]>;
  clear(): Promise<void>;
  stop(): Promise<void>;
}

/** Postgres, the gateway, and a proxy before it that breaks requests on demand. */
export async function startUsersWorld(): Promise<UsersWorld> {
  const database = await startDatabase();
  const gateway = await startGateway({ postgres: database.postgres });
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) } });
  const requests: string[] = [];

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', gateway.url);
    requests.push(url.pathname + url.search);
    const fate = (await world.before?.(url.pathname + url.search)) ?? 'pass';
    if (fate === 'hang') return;
    if (fate === 'reset') return void request.socket.resetAndDestroy();
    if (typeof fate === 'object') return void response.writeHead(fate.status, fate.headers).end(fate.body ?? '');
    const perPage = url.searchParams.get('per_page');
    if (perPage !== null) url.searchParams.set('per_page', String(Math.min(Number(perPage), world.cap)));
    const answer = await fetch(url, { headers: { authorization: request.headers.authorization ?? '', apikey: String(request.headers['apikey']) } });
    const body = await answer.text();
    const headers = Object.fromEntries(['link', 'x-total-count', 'x-sb-error-code', 'content-type'].flatMap((name) => (answer.headers.has(name) ? [[name, answer.headers.get(name) ?? '']] : [])));
    response.writeHead(answer.status, headers).end(fate === 'cut' ? body.slice(0, body.length / 2) : body);
  }
  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const world: UsersWorld = {
    database,
    gateway,
    url,
    settings: { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: gateway.serviceRoleKey },
    log,
    lines,
    before: null,
    cap: Infinity,
    requests,
    async addUsers(count, sets = {}) {
      const columns = { instance_id: "'00000000-0000-0000-0000-000000000000'", aud: "'authenticated'", role: "'authenticated'", created_at: "clock_timestamp()", email: "'u' || gen_random_uuid() || '@example.com'", email_confirmed_at: 'now()', ...sets };
      const { rows } = await database.auth.query<{ id: string }>(
        `insert into auth.users (id, ${Object.keys(columns).join(', ')}) select gen_random_uuid(), ${Object.values(columns).join(', ')} from generate_series(1, $1::int) n returning id`, [count]);
      return rows.map((row) => row.id);
    },
    async clear() {
      world.before = null;
      world.cap = Infinity;
      await database.clear();
      await database.asOwner("update wallet_sync.control set provision = 'all'; update wallet_sync.orphan_guard set refused = null, refused_at = null, accepted = null, accepted_at = null, asked_after = null");
      requests.length = 0;
      lines.length = 0;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await gateway.stop();
      await database.stop();
    },
  };
  return world;
}

/** All users that a source gives, in its order, and the cursors of its pages. */
export async function readAll(source: UserSource, cursor: string | null = null, onPage: (users: readonly User[]) => Promise<void> | void = () => undefined): Promise<{ ids: string[]; cursors: string[]; sizes: number[] }> {
  const [ids, cursors, sizes]: [string[], string[], number[]] = [[], [], []];
  for await (const page of source.pages(cursor, new AbortController().signal)) {
    ids.push(...page.users.map((user) => user.id));
    cursors.push(page.cursor);
    sizes.push(page.users.length);
    await onPage(page.users);
  }
  return { ids, cursors, sizes };
}
