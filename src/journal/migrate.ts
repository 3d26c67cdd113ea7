import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { z } from 'zod';
import { toDatabaseConnection } from '../databaseUrl.js';
import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import { packagePath } from '../packagePath.js';
import { queryRows, type Db } from './pool.js';
import { toJournalError } from './sqlErrors.js';

/** A file whose first line is this must not be met by a daemon that doesn't know it. */
const BREAKING = '--! breaking';

/** Two migrations at the same time would fight for the same locks; the second waits for the first. */
const MIGRATION_LOCK = 7_420_031_551_000;

export interface MigrateOptions {
  /** A role that owns or may create the schema: `postgres` on a Supabase project. */
  readonly connectionString: string;
  /** The setting that names it, for what mends a failed connection. Default: DATABASE_URL. */
  readonly setting?: string;
  readonly log: Log;
}

/**
 * Applies every file of sql/ in order, each in its own transaction. Each file can be applied twice, so all are, every
 * time: what somebody dropped by hand comes back. Returns the names of the files that were applied for the first time.
 * Throws an AppError that names the file, and one that says to update, before anything is changed, where the database carries
 * a breaking file that this version doesn't know: its older functions would replace the newer ones.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const client = new pg.Client({ ...toDatabaseConnection(options.connectionString), application_name: 'wallet-sync migrate', connectionTimeoutMillis: 10_000 });
  client.on('error', (error) => options.log.warn({ reason: error.message }, 'migration connection lost'));
  // Notices tell of what is there already, and are left out.
  client.on('notice', ({ severity, message, hint }) => void (severity === 'WARNING' && options.log.warn({ reason: message, mend: hint }, 'migration warned')));
  await client.connect().catch((error: unknown) => Promise.reject(named(toJournalError(error), options.setting)));
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const applied = await appliedMigrations(client);
    refuseNewer(applied, await migrationFiles());
    const before = new Set(applied.map((migration) => migration.name));
    const fresh: string[] = [];
    for (const name of await migrationFiles()) {
      const text = await readFile(packagePath('sql', name), 'utf8');
      await applyFile(client, name, text);
      if (!before.has(name)) fresh.push(name);
      options.log.debug({ file: name }, 'migration applied');
    }
    return fresh;
  } finally {
    await client.end();
  }
}

/** The journal's errors speak of DATABASE_URL. */
function named(error: AppError, setting = 'DATABASE_URL'): AppError {
  const { kind, message, where, mend, cause } = error;
  if (mend === undefined) return error;
  return new AppError(kind, message, { ...(where === undefined ? {} : { where }), mend: mend.replace(/\bDATABASE_URL\b/g, setting), cause });
}

async function applyFile(client: pg.Client, name: string, text: string): Promise<void> {
  try {
    await client.query('begin');
    await client.query(text);
    await client.query(
      // Each file records itself too, for who applies it without this program.
      'insert into wallet_sync.migration (name, breaking) values ($1, $2) on conflict (name) do update set breaking = excluded.breaking',
      [name, text.startsWith(BREAKING)],
    );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    const hint = error instanceof pg.DatabaseError ? error.hint : undefined;
    const failure = toJournalError(error);
    throw new AppError('data', failure.message, { where: `sql/${name}`, cause: error, mend: hint ?? 'migrate as the role that owns public.wallet and may create triggers on auth.users (postgres on Supabase)' });
  }
}

const migrationRow = z.object({ name: z.string(), breaking: z.boolean() });
type Migration = z.output<typeof migrationRow>;

async function appliedMigrations(client: pg.Client): Promise<Migration[]> {
  const exists = await client.query("select to_regclass('wallet_sync.migration') is not null as exists");
  if (exists.rows[0]?.exists !== true) return [];
  return readMigrations(client);
}

/** The names of sql/'s numbered files, in order. */
export async function migrationFiles(): Promise<string[]> {
  const names = await readdir(packagePath('sql'));
  return names.filter((name) => /^\d{3}_\w+\.sql$/.test(name)).sort();
}

/**
 * Compares the database with the files of this version. Throws an AppError that says `wallet-sync migrate` where the
 * database is behind, and one that says to update where it carries a breaking file this version doesn't know.
 */
export async function checkSchema(db: Db): Promise<void> {
  const applied = await readMigrations(db);
  const known = await migrationFiles();
  const missing = known.filter((name) => !applied.some((migration) => migration.name === name));
  if (missing.length > 0) throw new AppError('usage', `the database lacks ${missing.join(', ')}`, { where: 'schema wallet_sync', mend: 'run `wallet-sync migrate`' });
  refuseNewer(applied, known);
}

const readMigrations = (db: Db): Promise<Migration[]> => queryRows(db, migrationRow, 'select name, breaking from wallet_sync.migration');

function refuseNewer(applied: readonly Migration[], known: readonly string[]): void {
  const newer = applied.filter((migration) => migration.breaking && !known.includes(migration.name));
  if (newer.length > 0) {
    throw new AppError('usage', `the database is newer than this version: ${newer.map((migration) => migration.name).join(', ')}`, { where: 'schema wallet_sync', mend: 'update flow-wallet-sync' });
  }
}
