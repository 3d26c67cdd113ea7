import type { Socket } from 'node:net';
import pg from 'pg';
import type { z } from 'zod';
import { toDatabaseConnection } from '../databaseUrl.js';
import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import { toJournalError } from './sqlErrors.js';

/** Anything that runs one statement: the pool, or one connection inside a transaction. */
export interface Db {
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult<Record<string, unknown>>>;
}

export interface Journal extends Db {
  /** Runs `work` in one transaction; rolled back when it throws. */
  transaction<T>(work: (db: Db) => Promise<T>): Promise<T>;
  /** How its connections are used now, and what has passed through them since it was opened. */
  load(): JournalLoad;
  close(): Promise<void>;
}

export interface JournalLoad {
  readonly connections: number;
  readonly idle: number;
  readonly most: number;
  /** Statements and transactions that wait for a connection. */
  readonly waiting: number;
  readonly statements: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface JournalOptions {
  readonly connectionString: string;
  readonly log: Log;
  /** Connections at most. Default 8: assigning, heartbeat, polls and one writer per slot hardly overlap longer. */
  readonly maxConnections?: number;
  /** How Postgres names these connections. Default: wallet-sync. */
  readonly applicationName?: string;
}

const INT8 = 20;

/** Postgres bigint as a number; ids and amounts of 10^-8 FLOW stay below 2^53 (90 million FLOW), anything above is refused. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new AppError('data', `the number ${text} is too large`, { where: 'postgres' });
  return value;
}

/**
 * Opens the journal's connection pool. Idle connections that die are replaced by the next statement.
 * Every failed statement is thrown as an AppError (see {@link toJournalError}); `usage` at once where a file that the URL names for TLS cannot be read.
 */
export function openJournal(options: JournalOptions): Journal {
  const most = options.maxConnections ?? 8;
  const pool = new pg.Pool({
    ...toDatabaseConnection(options.connectionString),
    max: most,
    application_name: options.applicationName ?? 'wallet-sync',
    connectionTimeoutMillis: 10_000,
    statement_timeout: 30_000,
    // A host that vanishes without closing its connection must not keep the locks that all instances share.
    idle_in_transaction_session_timeout: 15_000,
    // The server's own limits don't help where its packets don't arrive.
    query_timeout: 35_000,
    keepAlive: true,
    types: { getTypeParser: ((oid: number, format?: 'text' | 'binary') => (oid === INT8 ? parseInt8 : pg.types.getTypeParser(oid, format as 'text'))) as typeof pg.types.getTypeParser },
  });
  pool.on('error', (error) => options.log.warn({ reason: error.message }, 'idle database connection lost'));
  const traffic = createTraffic();
  pool.on('connect', traffic.follow);
  let statements = 0;
  const run: typeof runStatement = (target, text, values) => {
    statements += 1;
    return runStatement(target, text, values);
  };

  return {
    query: (text, values) => run(pool, text, values),
    async transaction(work) {
      const client = await pool.connect().catch((error: unknown) => Promise.reject(toJournalError(error)));
      let broken: Error | undefined;
      // The pool listens only to idle connections; an 'error' that nobody hears would end the process.
      const onLost = (error: Error): void => void (broken = error);
      client.on('error', onLost);
      try {
        // Going to sleep looks after it has a lock: in a stricter isolation it would see what was there before.
        await run(client, 'begin isolation level read committed');
        const result = await work({ query: (text, values) => run(client, text, values) });
        await run(client, 'commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((rollbackError: Error) => (broken = rollbackError));
        throw error;
      } finally {
        client.off('error', onLost);
        client.release(broken);
      }
    },
    load: () => ({ connections: pool.totalCount, idle: pool.idleCount, most, waiting: pool.waitingCount, statements, ...traffic.bytes() }),
    close: () => pool.end(),
  };
}

/** Adds up the bytes of all connections, those that are closed included. */
function createTraffic(): { follow(client: pg.PoolClient): void; bytes(): { sentBytes: number; receivedBytes: number } } {
  const open = new Set<Socket>();
  const closed = { sentBytes: 0, receivedBytes: 0 };
  return {
    follow(client) {
      // Not in its types: the socket, or the one that TLS has put above it.
      const socket = (client as pg.PoolClient & { connection?: { stream?: Socket } }).connection?.stream;
      if (socket === undefined) return;
      open.add(socket);
      socket.once('close', () => {
        open.delete(socket);
        closed.sentBytes += socket.bytesWritten;
        closed.receivedBytes += socket.bytesRead;
      });
    },
    bytes: () => [...open].reduce((sum, socket) => ({ sentBytes: sum.sentBytes + socket.bytesWritten, receivedBytes: sum.receivedBytes + socket.bytesRead }), closed),
  };
}

async function runStatement(target: pg.Pool | pg.PoolClient, text: string, values?: readonly unknown[]): Promise<pg.QueryResult<Record<string, unknown>>> {
  try {
    return await target.query<Record<string, unknown>>(text, values as unknown[] | undefined);
  } catch (error) {
    throw toJournalError(error);
  }
}

/** Runs a statement and checks each row against `row`. Throws an AppError of kind `data` where a row breaks it. */
export async function queryRows<S extends z.ZodType>(db: Db, row: S, text: string, values: readonly unknown[] = []): Promise<z.output<S>[]> {
  const result = await db.query(text, values);
  return result.rows.map((raw) => {
    const parsed = row.safeParse(raw);
    if (!parsed.success) throw new AppError('data', `a row has another shape: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`, { where: 'postgres' });
    return parsed.data;
  });
}

/** As {@link queryRows}, for statements that return exactly one row. */
export async function queryOne<S extends z.ZodType>(db: Db, row: S, text: string, values: readonly unknown[] = []): Promise<z.output<S>> {
  const rows = await queryRows(db, row, text, values);
  if (rows.length !== 1) throw new AppError('data', `expected one row, got ${rows.length}`, { where: 'postgres' });
  return rows[0] as z.output<S>;
}
