import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { startPostgres, type Postgres, type PostgresOptions } from '../../dev/postgres.js';
import { heartbeat } from '../../src/journal/instances.js';
import { migrate } from '../../src/journal/migrate.js';
import { openJournal, type Journal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';

const SERVICE_PASSWORD = randomBytes(16).toString('hex');

export interface Database {
  readonly postgres: Postgres;
  /** How wallet_sync_service connects. */
  readonly serviceUrl: string;
  /** Opened as wallet_sync_service, as the daemon does. */
  readonly journal: Journal;
  /** Sign-ups, as role supabase_auth_admin. */
  readonly auth: pg.Pool;
  /** Applies sql/ as role postgres and lets wallet_sync_service log in. Returns the files applied for the first time. */
  migrate(): Promise<string[]>;
  /** A connection of its own, ended by {@link Database.disconnect} or {@link Database.stop} at the latest. anon, authenticated and service_role are entered as the API does. */
  connect(role: string): Promise<pg.Client>;
  /** One statement as role postgres, the owner of what sql/ makes. */
  asOwner<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Registers a living instance and returns its id. */
  instance(): Promise<string>;
  /** Empties every table of the service, and auth.users. */
  clear(): Promise<void>;
  /** Ends every connection that {@link Database.connect} has made: what a failed test has locked is free again. */
  disconnect(): Promise<void>;
  stop(): Promise<void>;
}

export interface DatabaseOptions extends PostgresOptions {
  /** False: sql/ is not applied. Default true. */
  readonly migrated?: boolean;
}

/** A Postgres of its own with sql/ applied: once per test file. The server's disc is not waited for, since no test outlives it. */
export async function startDatabase(options: DatabaseOptions = {}): Promise<Database> {
  const postgres = await startPostgres({ settings: { fsync: 'off', ...options.settings } });
  const clients = new Set<pg.Client>();
  const auth = new pg.Pool({ connectionString: postgres.url('supabase_auth_admin'), max: 16 });
  // An idle connection hears that the server stops.
  auth.on('error', () => undefined);
  const log = createLog({ level: 'silent', pretty: false });
  const journal = openJournal({ connectionString: postgres.url('wallet_sync_service', SERVICE_PASSWORD), log });

  async function connect(role: string): Promise<pg.Client> {
    const login = ['anon', 'authenticated', 'service_role'].includes(role) ? 'authenticator' : role;
    const client = new pg.Client({ connectionString: role === 'wallet_sync_service' ? postgres.url(role, SERVICE_PASSWORD) : postgres.url(login) });
    client.on('error', () => undefined);
    await client.connect();
    clients.add(client);
    client.once('end', () => clients.delete(client));
    if (login !== role) await client.query(`set role ${role}`);
    return client;
  }

  async function disconnect(): Promise<void> {
    await Promise.all([...clients].map((client) => client.end()));
  }

  const database: Database = {
    postgres,
    serviceUrl: postgres.url('wallet_sync_service', SERVICE_PASSWORD),
    journal,
    auth,
    connect,
    async migrate() {
      const fresh = await migrate({ connectionString: postgres.url('postgres'), log });
      await postgres.query('postgres', `alter role wallet_sync_service password '${SERVICE_PASSWORD}'`);
      return fresh;
    },
    asOwner: (sql, params) => postgres.query('postgres', sql, params),
    async instance() {
      const id = randomUUID();
      await heartbeat(journal, id, {});
      return id;
    },
    async clear() {
      // Children first. Deleting a few rows takes 2 ms; truncating all these tables 40.
      const tables = ['public.wallet', 'auth.users', ...['member', 'transaction', 'account_history', 'account', 'slot', 'instance', 'user_state', 'apart', 'cycle', 'resync_request', 'canary', 'reservation', 'spending', 'funder_balance', 'adopted'].map((name) => `wallet_sync.${name}`)];
      await postgres.query('supabase_admin', tables.map((table) => `delete from ${table};`).join(' ') + ' update wallet_sync.control set paused = false; update wallet_sync.sweeper set leased_by = null, lease_until = null;');
    },
    disconnect,
    async stop() {
      await disconnect();
      await journal.close();
      await auth.end();
      await postgres.stop();
    },
  };
  if (options.migrated ?? true) {
    try {
      await database.migrate();
    } catch (error) {
      await database.stop();
      throw error;
    }
  }
  return database;
}

/** What a sign-up's INSERT is, for tests that hold its transaction open. */
export const INSERT_USER = `insert into auth.users (id, email, role, aud, created_at) values ($1::uuid, $1::uuid || '@example.com', 'authenticated', 'authenticated', clock_timestamp())`;

/** Random bytes as hex: a public key is 64 bytes, an address 8. */
export const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
