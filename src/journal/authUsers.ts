import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const pageRow = z.object({ id: z.string(), email: z.string().nullable(), created_at: z.date().nullable() });

/** Next of the users who may have a wallet, by id. A row that was inserted without a time of creation counts as of 1970. */
export async function readUsersPage(db: Db, after: string | null, pageSize: number): Promise<{ id: string; email: string | null; createdAt: Date }[]> {
  const rows = await queryRows(db, pageRow, 'select id, email, created_at from wallet_sync.users_page($1, $2)', [after, pageSize]);
  return rows.map(({ id, email, created_at }) => ({ id, email, createdAt: created_at ?? new Date(0) }));
}

const countRow = z.object({ listed: z.number(), provisioned: z.number() });

/** The rows of auth.users: those that the Auth server counts (`listed`), and those who may have a wallet. Both are 0 where the definer sees none. */
export async function countAuthUsers(db: Db): Promise<{ listed: number; provisioned: number }> {
  return queryOne(db, countRow, 'select listed, provisioned from wallet_sync.count_users()');
}

/** Whether public.wallet has a row. */
export async function hasWallets(db: Db): Promise<boolean> {
  return (await queryOne(db, z.object({ found: z.boolean() }), 'select exists (select from public.wallet) as found')).found;
}
