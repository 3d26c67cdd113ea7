import { z } from 'zod';
import { queryRows } from '../../journal/pool.js';
import { defineCheck, fail, ok } from '../check.js';

const PUBLISHED = ['public.wallet', 'wallet_sync.canary'];
const MIGRATE = 'run `wallet-sync migrate` as the owner (MIGRATE_DATABASE_URL)';

/** What Supabase Realtime reads: new rows of public.wallet, and the canaries that prove it. */
export const publicationCheck = defineCheck({
  name: 'publication',
  needs: ['database'],
  settings: ['DATABASE_URL', 'REALTIME'],
  async examine({ journal }, { REALTIME }) {
    if (!REALTIME) return ok('not looked at: REALTIME is off');
    const [publication] = await queryRows(
      journal(),
      z.object({ inserts: z.boolean(), wal_level: z.string(), tables: z.array(z.string()) }),
      `select p.pubinsert as inserts, current_setting('wal_level') as wal_level,
         array(select t.schemaname || '.' || t.tablename from pg_publication_tables t where t.pubname = p.pubname) as tables
       from pg_publication p where p.pubname = 'supabase_realtime'`,
    );
    if (publication === undefined) return fail('supabase_realtime is not there', MIGRATE);
    if (publication.wal_level !== 'logical') return fail(`wal_level is ${publication.wal_level}: Realtime hears of no change`, 'set wal_level = logical and restart Postgres');
    if (!publication.inserts) return fail('supabase_realtime leaves out inserts', "alter publication supabase_realtime set (publish = 'insert, update, delete, truncate')");
    const missing = PUBLISHED.filter((table) => !publication.tables.includes(table));
    if (missing.length > 0) return fail(`supabase_realtime lacks ${missing.join(' and ')}`, `alter publication supabase_realtime add table ${missing.join(', ')}; or ${MIGRATE}`);
    return ok('supabase_realtime holds public.wallet and the canaries');
  },
});
