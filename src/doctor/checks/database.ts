import { z } from 'zod';
import { queryOne } from '../../journal/pool.js';
import { defineCheck, ok } from '../check.js';

/** The database answers. */
export const databaseCheck = defineCheck({
  name: 'database',
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const row = await queryOne(journal(), z.object({ role: z.string(), version: z.string(), database: z.string() }), "select current_user as role, current_database() as database, split_part(current_setting('server_version'), ' ', 1) as version");
    return ok(`Postgres ${row.version}, database ${row.database}, as ${row.role}`);
  },
});
