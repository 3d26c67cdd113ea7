import { z } from 'zod';
import { queryRows, type Db } from '../journal/pool.js';
import type { UserSource } from './userSource.js';

const row = z.object({ id: z.string(), email: z.string().nullable(), created_at: z.date() });

export async function openUsers(options: { settings: { PAGE_SIZE: number }; journal: Db; log: unknown }): Promise<UserSource> {
  await Promise.resolve();
  return {
    name: 'postgres',
    count: () => Promise.resolve(null),
    async *pages(cursor, signal) {
      for (let after = cursor; !signal.aborted; ) {
        const rows = await queryRows(options.journal, row, 'select id, email, created_at from wallet_sync.users_page($1, $2)', [after, options.settings.PAGE_SIZE]);
        const last = rows.at(-1);
        if (last === undefined) return;
        after = last.id;
        yield { users: rows.map((user) => ({ id: user.id, email: user.email, createdAt: user.created_at })), cursor: last.id };
      }
    },
  };
}
