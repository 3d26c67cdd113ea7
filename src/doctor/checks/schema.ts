import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { checkSchema, migrationFiles } from '../../journal/migrate.js';
import { queryRows } from '../../journal/pool.js';
import { packagePath } from '../../packagePath.js';
import { defineCheck, ok, warn } from '../check.js';

/** Every file of sql/ is applied, none is newer than this version, and the functions are those of this version. */
export const schemaCheck = defineCheck({
  name: 'migrations',
  needs: ['rights'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const db = journal();
    await checkSchema(db);
    const files = await migrationFiles();
    const text = (await Promise.all(files.map((name) => readFile(packagePath('sql', name), 'utf8')))).join('\n');
    const functions = await queryRows(db, z.object({ name: z.string(), source: z.string() }), "select p.proname as name, p.prosrc as source from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'wallet_sync' order by 1");
    const strange = [...new Set(functions.filter(({ source }) => !text.includes(source)).map(({ name }) => name))];
    if (strange.length > 0) return warn(`functions of schema wallet_sync that are not this version's: ${strange.join(', ')}`, 'run `wallet-sync migrate`, or update flow-wallet-sync where a newer one has migrated');
    return ok(`${files.length} files applied, ${functions.length} functions as in them`);
  },
});
