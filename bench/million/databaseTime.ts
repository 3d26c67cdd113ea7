import type { Postgres } from '../../dev/postgres.js';

/** Settings without which a server cannot tell; the statements of functions count for who called them. */
export const STATEMENT_SETTINGS = { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track_planning': 'on' };

export interface DatabaseTime {
  /** Planning and executing statements of the service's role, in milliseconds, by pg_stat_statements. Parallel workers don't count twice. */
  readonly ms: number;
  readonly statements: number;
  /** Blocks of 8 KiB read from outside the server's own cache. */
  readonly blocksRead: number;
  /** The costliest first. */
  readonly costliest: readonly { readonly text: string; readonly calls: number; readonly ms: number; readonly slowestMs: number }[];
}

const SHOWN = 5;

/** Begins to count anew. */
export async function resetDatabaseTime(postgres: Postgres): Promise<void> {
  await postgres.query('supabase_admin', 'create schema if not exists bench; create extension if not exists pg_stat_statements with schema bench');
  await postgres.query('supabase_admin', 'select bench.pg_stat_statements_reset()');
}

/** What the sweep cost the database since then. */
export async function readDatabaseTime(postgres: Postgres): Promise<DatabaseTime> {
  const rows = await postgres.query<{ text: string; calls: string; ms: number; slowest: number; read: string }>(
    'supabase_admin',
    `select regexp_replace(s.query, '\\s+', ' ', 'g') as text, s.calls, s.total_exec_time + s.total_plan_time as ms, s.max_exec_time as slowest, s.shared_blks_read as read
     from bench.pg_stat_statements s join pg_roles r on r.oid = s.userid where r.rolname = 'wallet_sync_service' order by 3 desc`,
  );
  const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    ms: sum((row) => row.ms),
    statements: sum((row) => Number(row.calls)),
    blocksRead: sum((row) => Number(row.read)),
    costliest: rows.slice(0, SHOWN).map((row) => ({ text: row.text, calls: Number(row.calls), ms: row.ms, slowestMs: row.slowest })),
  };
}
