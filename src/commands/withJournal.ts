import { readEnvironment } from '../environment.js';
import { openJournal, type Journal } from '../journal/pool.js';
import { createLog } from '../log.js';
import { readDatabaseUrl } from '../settings.js';

/** Opens the journal named by DATABASE_URL for one command, and closes it whatever happens. */
export async function withJournal<T>(work: (journal: Journal) => Promise<T>, options: { maxConnections?: number } = {}): Promise<T> {
  const journal = openJournal({ connectionString: readDatabaseUrl(readEnvironment()), log: createLog({ level: 'silent' }), maxConnections: options.maxConnections ?? 1 });
  try {
    return await work(journal);
  } finally {
    await journal.close();
  }
}
