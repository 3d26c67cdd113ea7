import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { packagePath } from '../src/packagePath.js';
import { startGuard } from './guard.js';
import { findBinaries, type Binaries } from './postgresBinaries.js';
import { startServer } from './postgresServer.js';

const run = promisify(execFile);

/** Roles that log in, as on a hosted project; supabase_admin is the superuser. */
export const LOGIN_ROLES = ['postgres', 'authenticator', 'supabase_auth_admin'] as const;
/** Roles that only authenticator becomes, by SET ROLE, as the API does. */
const API_ROLES = new Set(['anon', 'authenticated', 'service_role']);

export interface PostgresOptions {
  /** More `-c name=value` for the server, e.g. `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Postgres {
  readonly port: number;
  /** The server's process id; another one after a restart. */
  pid(): number;
  /** Never resolves; rejects with an AppError when the server ends without having been asked to. */
  readonly died: Promise<never>;
  /** A connection string for a role that logs in. Without `password`: the one that every built-in role of this server has. */
  url(role: string, password?: string): string;
  /** Runs one statement as a role and returns its rows. anon, authenticated and service_role are entered through authenticator. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(role: string, sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Closes all connections and starts again on the same data and port. */
  restart(): Promise<void>;
  /** Ends the server and removes its data. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts a real Postgres 17 (wal_level=logical, track_commit_timestamp=on) on a free port, with the roles, schema auth and publication of
 * a hosted Supabase project (dev/supabase/*.sql). Its data lies in a temporary folder that is gone when this process is, however it ends.
 * Takes about 1 s. Throws an AppError with the server's last lines where it does not start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const home = await mkdtemp(join(tmpdir(), 'flow-wallet-sync-postgres-'));
  const guard = startGuard({ folder: home, signal: 'QUIT' });
  const password = randomBytes(16).toString('hex');
  const pools = new Map<string, pg.Pool>();
  let stopping: Promise<void> | undefined;

  async function removeHome(): Promise<void> {
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
    guard.release();
  }

  try {
    const binaries = await findBinaries(home);
    const folder = join(home, 'data');
    await initialise(binaries, home, folder, password);
    const server = await startServer({ binaries, folder, guard, settings: options.settings ?? {} });

    const url = (role: string, secret = password): string => `postgresql://${role}:${encodeURIComponent(secret)}@127.0.0.1:${server.port}/postgres`;
    const pool = (role: string): pg.Pool => {
      const known = pools.get(role);
      if (known !== undefined) return known;
      const login = API_ROLES.has(role)
        ? { connectionString: url('authenticator'), options: `-c role=${role}` }
        : { connectionString: url(role) };
      const made = new pg.Pool({ ...login, max: 4, application_name: 'dev', allowExitOnIdle: true });
      // An idle connection that dies in a restart is replaced by the next query.
      made.on('error', () => undefined);
      pools.set(role, made);
      return made;
    };

    const postgres: Postgres = {
      port: server.port,
      pid: server.pid,
      died: server.died,
      url,
      query: async <Row extends pg.QueryResultRow>(role: string, sql: string, params: readonly unknown[] = []) =>
        (await pool(role).query<Row>(sql, [...params])).rows,
      restart: server.restart,
      stop: () => {
        stopping ??= (async () => {
          await Promise.all([...pools.values()].map((open) => open.end()));
          await server.stop();
          await removeHome();
        })();
        return stopping;
      },
    };
    try {
      await prepare(url('supabase_admin'), password);
    } catch (error) {
      await postgres.stop();
      throw error;
    }
    return postgres;
  } catch (error) {
    await removeHome();
    throw error;
  }
}

async function initialise(binaries: Binaries, home: string, folder: string, password: string): Promise<void> {
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  await mkdir(folder, { mode: 0o700 });
  if ('uid' in binaries.owner) {
    const { uid, gid } = binaries.owner;
    await chmod(home, 0o711);
    for (const path of [folder, passwordFile]) await chown(path, uid, gid);
  }
  await run(
    binaries.initdb,
    ['-D', folder, '-U', 'supabase_admin', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--no-sync', '--encoding=UTF8',
      '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    { ...binaries.owner, cwd: folder },
  );
  await rm(passwordFile);
}

async function prepare(connectionString: string, password: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const folder = packagePath('dev', 'supabase');
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()) await client.query(await readFile(join(folder, name), 'utf8'));
    for (const role of LOGIN_ROLES) await client.query(`alter role ${role} password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
}
