import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const stateRow = z.object({ auth_id: z.string(), address: z.string().nullable(), reason: z.string(), solution: z.string().nullable(), since: z.date() });

export type UserInState = z.output<typeof stateRow>;

/** Users who were set apart, the oldest first; `address`: of the account that they have. */
export async function readUsersInState(db: Db, state: 'corrupted' | 'orphaned'): Promise<UserInState[]> {
  return queryRows(
    db,
    stateRow,
    `select s.auth_id, a.address, s.reason, s.solution, s.since
     from wallet_sync.user_state s left join wallet_sync.account a on a.auth_id = s.auth_id where s.state = $1 order by s.since, s.auth_id`,
    [state],
  );
}
