import { toAppError, type AppError } from '../errors.js';
import { countAuthUsers, hasWallets } from '../journal/authUsers.js';
import type { Journal } from '../journal/pool.js';
import type { Log } from '../log.js';
import type { Settings } from '../settings.js';
import type { Telemetry } from '../telemetry/events.js';
import { createAdminApi } from './adminApi.js';
import { createAdminUsers } from './adminUsers.js';
import type { Patience } from './persevere.js';
import { createPostgresUsers } from './postgresUsers.js';
import type { UserSource } from './source.js';

export interface OpenUsersOptions {
  readonly settings: Pick<Settings, 'SUPABASE_URL' | 'SUPABASE_SERVICE_ROLE_KEY' | 'PAGE_SIZE' | 'PROVISION' | 'USER_SOURCE'>;
  readonly journal: Journal;
  readonly log: Log;
  readonly telemetry?: Telemetry;
}

/** The choice alone doesn't wait long for the Auth server. */
const BRIEF: Patience = { attempts: 3, firstMs: 250, capMs: 1_000 };
/** Users come and go between the counts: so often they are made again. */
const COUNTS = 3;

/**
 * The source of users for one sweep: USER_SOURCE, or else Postgres where it sees at least as many users as the Auth server counts, and the Auth server where it
 * sees fewer. (A right to SELECT proves nothing: auth.users has row level security, and whoever may not bypass it reads no rows and gets no
 * error.) Where the Auth server doesn't answer, Postgres, if it sees users or there are no wallets yet. To be called anew for each
 * sweep: what it found may have changed. Throws the Auth server's AppError where no source is left, and the journal's.
 */
export async function openUsers(options: OpenUsersOptions): Promise<UserSource> {
  const { settings, journal, log } = options;
  const api = createAdminApi({ settings, ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }) });
  const sources = { postgres: () => createPostgresUsers({ journal, settings }), 'admin-api': () => createAdminUsers({ api, settings, log }) };
  const { source, reason, ...found } = settings.USER_SOURCE === undefined ? await choose(journal, createAdminUsers({ api, settings, log, patience: BRIEF })) : { source: settings.USER_SOURCE, reason: 'USER_SOURCE says so' };
  log.info({ source, reason, ...found }, 'users are read');
  return sources[source]();
}

interface Choice {
  readonly source: 'postgres' | 'admin-api';
  readonly reason: string;
  readonly inPostgres?: number;
  readonly inAuthServer?: number;
}

async function choose(journal: Journal, admin: UserSource): Promise<Choice> {
  const { listed, provisioned } = await countAuthUsers(journal);
  let before = listed;
  let choice: Choice | null = null;
  for (let look = 1; look <= COUNTS; look += 1) {
    const total = await admin.count().catch((thrown: unknown) => toAppError(thrown));
    if (typeof total !== 'number') return withoutAuthServer(journal, Math.max(before, provisioned), total ?? toAppError('it counts no users'));
    const after = (await countAuthUsers(journal)).listed;
    if (Math.max(before, after) >= total) return { source: 'postgres', reason: 'it sees all users', inPostgres: after, inAuthServer: total };
    choice = { source: 'admin-api', reason: 'Postgres sees fewer users: its definer functions must be owned by a role that bypasses row level security', inPostgres: after, inAuthServer: total };
    before = after;
  }
  return choice ?? { source: 'admin-api', reason: 'Postgres was not counted' };
}

async function withoutAuthServer(journal: Journal, inPostgres: number, error: AppError): Promise<Choice> {
  if (inPostgres > 0) return { source: 'postgres', reason: `it sees users, and the Auth server fails: ${error.message}`, inPostgres };
  if (!(await hasWallets(journal))) return { source: 'postgres', reason: `there are neither users nor wallets, and the Auth server fails: ${error.message}`, inPostgres };
  throw error;
}
