import { countAuthUsers, readUsersPage } from '../journal/authUsers.js';
import type { Journal } from '../journal/pool.js';
import type { Settings } from '../settings.js';
import type { UserSource } from './source.js';

/**
 * The users as auth.users has them, by id: none is missed who is there during the whole listing, because each page begins at an id and not at a number of
 * rows. PROVISION is the row that all instances share.
 */
export function createPostgresUsers({ journal, settings }: { journal: Journal; settings: Pick<Settings, 'PAGE_SIZE'> }): UserSource {
  return {
    name: 'postgres',
    count: async () => (await countAuthUsers(journal)).provisioned,
    async *pages(cursor, signal) {
      let [, after = null] = /^postgres:([0-9a-f-]{36})$/.exec(cursor ?? '') ?? [];
      for (;;) {
        signal.throwIfAborted();
        const users = await readUsersPage(journal, after, settings.PAGE_SIZE);
        const last = users.at(-1);
        if (last === undefined) return;
        after = last.id;
        yield { users, cursor: `postgres:${after}` };
      }
    },
  };
}
