import type { Database } from '../../support/database.js';

/** Ends server processes and waits until they are gone: what they had not committed is rolled back. `which` is a condition on pg_stat_activity. */
export async function endBackends(database: Database, which: string, values: readonly unknown[]): Promise<void> {
  // With a time limit of its own, pg_terminate_backend looks only each 100 ms.
  const ended = await database.postgres.query<{ pid: number }>('supabase_admin', `select pid, pg_terminate_backend(pid) from pg_stat_activity where ${which}`, values);
  if (ended.length === 0) return;
  const pids = ended.map((row) => row.pid);
  while ((await database.postgres.query('supabase_admin', 'select 1 from pg_stat_activity where pid = any($1) limit 1', [pids])).length > 0);
}

/** Ends the connections of those named that keep a lock which somebody waits for. */
export function endBlockers(database: Database, names: readonly string[]): Promise<void> {
  return endBackends(database, "application_name = any($1) and pid in (select unnest(pg_blocking_pids(w.pid)) from pg_stat_activity w where w.wait_event_type = 'Lock')", [names]);
}
