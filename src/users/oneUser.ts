import { z } from 'zod';
import { AppError } from '../errors.js';
import { queryRows, type Db } from '../journal/pool.js';
import type { UserSource } from './source.js';

/** A source of one user. Throws `data` where there is no such user who may have a wallet. */
export async function oneUser(journal: Db, id: string): Promise<UserSource> {
  const rows = await queryRows(journal, z.object({ id: z.string() }), 'select id from wallet_sync.provisioned_user where id = $1', [id]);
  if (rows.length === 0) throw new AppError('data', 'there is no such user, or PROVISION gives him no wallet', { where: `user ${id}`, mend: 'compare with auth.users (id)' });
  return {
    name: 'one user',
    count: () => Promise.resolve(1),
    async *pages() {
      await Promise.resolve();
      yield { users: [{ id, email: null, createdAt: new Date(0) }], cursor: id };
    },
  };
}
