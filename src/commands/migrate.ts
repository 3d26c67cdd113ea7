import { readEnvironment } from '../environment.js';
import { migrate } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { readMigrationUrl } from '../settings.js';
import { print } from './output.js';

/** `wallet-sync migrate`: applies sql/. MIGRATE_DATABASE_URL names the owner's connection where the daemon's own may not. */
export async function runMigrate(options: { json: boolean }): Promise<void> {
  const { url: connectionString, setting } = readMigrationUrl(readEnvironment());
  const applied = await migrate({ connectionString, setting, log: createLog({ level: 'warn' }) });
  print(options.json, { applied }, applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`);
}
