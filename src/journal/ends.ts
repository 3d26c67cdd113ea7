import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const endRow = z.object({ id: z.string(), state: z.enum(['sealed', 'failed', 'given_up']), error_kind: z.string().nullable(), error: z.string().nullable() });

/** How a transaction ended. */
export interface End {
  readonly state: 'sealed' | 'failed' | 'given_up';
  readonly errorKind: string | null;
  readonly error: string | null;
}

/** The ends of those of these transactions that are settled, whoever settled them. */
export async function readEnds(db: Db, ids: readonly string[]): Promise<Map<string, End>> {
  const rows = await queryRows(db, endRow, "select id, state::text, error_kind, error from wallet_sync.transaction where id = any($1) and state <> 'live'", [ids]);
  return new Map(rows.map((row) => [row.id, { state: row.state, errorKind: row.error_kind, error: row.error }]));
}
