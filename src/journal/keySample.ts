import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const keyRow = z.object({ id: z.number(), private_key: z.string(), public_key: z.string() });

/** A stored key, still encrypted. */
export interface SampledKey {
  readonly accountId: number;
  readonly encryptedPrivateKey: string;
  readonly publicKey: string;
}

/** The stored keys of the `each` oldest and the `each` newest accounts, still encrypted; with `masterKey`: of those under it alone. */
export async function sampleKeys(db: Db, each: number, masterKey: string | null = null): Promise<SampledKey[]> {
  const accounts = "select id, private_key, public_key from wallet_sync.account where $2::text is null or left(private_key, 12) = 'v1:' || $2 || ':'";
  const rows = await queryRows(db, keyRow, `(${accounts} order by id limit $1) union (${accounts} order by id desc limit $1)`, [each, masterKey]);
  return rows.map((row) => ({ accountId: row.id, encryptedPrivateKey: row.private_key, publicKey: row.public_key }));
}
