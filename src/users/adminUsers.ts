import type { Log } from '../log.js';
import type { Settings } from '../settings.js';
import type { AdminApi, AuthUser } from './adminApi.js';
import { parseInstant } from './instant.js';
import { oldestFirst, type Listed } from './oldestFirst.js';
import { persevere, type Patience } from './persevere.js';
import type { UserPage, UserSource } from './source.js';

/** The Auth server is asked for no fewer: each page overlaps the one before by an eighth, and the server counts all users for each. */
const SMALLEST_ASKED = 50;
/** A question about one user is no listing: the next sweep asks again. */
const QUESTION: Patience = { attempts: 3, firstMs: 250, capMs: 1_000 };
/** Some 20 MB of JSON. Asked for only where so many users have one created_at. */
const LARGEST_ASKED = 20_000;

interface Row extends Listed {
  readonly user: AuthUser;
}

/** The users as the Auth server's admin API lists them, the oldest first (see {@link oldestFirst}). Failures that pass are retried. */
export function createAdminUsers(options: { api: AdminApi; settings: Pick<Settings, 'PAGE_SIZE' | 'PROVISION'>; log: Log; patience?: Patience }): UserSource & Required<Pick<UserSource, 'isGone'>> {
  const { api, settings, log } = options;
  const ask = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => persevere(work, { signal, log, ...(options.patience === undefined ? {} : { patience: options.patience }) });

  async function listPage(page: number, perPage: number, signal: AbortSignal): Promise<{ rows: Row[]; total: number }> {
    const { users, total } = await ask(signal, () => api.list(page, perPage, signal));
    return { rows: users.map((user) => ({ id: user.id, instant: parseInstant(user.created_at), user })), total };
  }

  return {
    name: 'admin-api',
    async count() {
      const never = new AbortController().signal;
      return (await ask(never, () => api.list(1, 1, never))).total;
    },
    async *pages(cursor, signal) {
      const last = readCursor(cursor);
      const pageSize = Math.max(SMALLEST_ASKED, settings.PAGE_SIZE);
      // A page can end between users of one instant: on resuming, that instant is read again, whole, and those before the cursor are left out.
      const walk = { pageSize, largestPage: Math.max(LARGEST_ASKED, pageSize), after: last === null ? -Infinity : last.instant - 1 };
      for await (const group of oldestFirst((page, size) => listPage(page, size, signal), walk)) {
        const rows = group.filter((row) => isWanted(row.user, settings.PROVISION) && (last === null || isAfter(row, last)));
        for (let start = 0; start < rows.length; start += settings.PAGE_SIZE) {
          signal.throwIfAborted();
          yield toPage(rows.slice(start, start + settings.PAGE_SIZE));
        }
      }
    },
    isGone: (id, signal) => persevere(() => api.isGone(id, signal), { signal, log, patience: QUESTION }),
  };
}

/** As wallet_sync.meets_policy says. */
function isWanted(user: AuthUser, provision: Settings['PROVISION']): boolean {
  if (user.deleted_at != null) return false;
  switch (provision) {
    case 'all':
      return true;
    case 'confirmed':
      return user.email_confirmed_at != null || user.phone_confirmed_at != null;
    case 'non-anonymous':
      return user.is_anonymous !== true;
  }
}

function toPage(rows: readonly Row[]): UserPage {
  const last = rows.at(-1);
  return {
    // Where a user has no address, the server says ''.
    users: rows.map(({ id, instant, user }) => ({ id, email: user.email ? user.email : null, createdAt: new Date(Math.floor(instant / 1_000)) })),
    cursor: last === undefined ? '' : `admin-api:${last.instant}:${last.id}`,
  };
}

const isAfter = (row: Listed, last: Listed): boolean => row.instant > last.instant || (row.instant === last.instant && row.id > last.id);

function readCursor(cursor: string | null): Listed | null {
  const [, instant, id] = /^admin-api:(-?\d+):([0-9a-f-]{36})$/.exec(cursor ?? '') ?? [];
  return instant === undefined || id === undefined ? null : { instant: Number(instant), id };
}
