import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const keyRow = z.object({ id: z.number(), private_key: z.string(), public_key: z.string() });

/** The stored keys of the `each` oldest and the `each` newest accounts, still encrypted. */
export async function sampleKeys(db: Db, each: number): Promise<{ accountId: number; encryptedPrivateKey: string; publicKey: string }[]> {
  const rows = await queryRows(
    db,
    keyRow,
    `(select id, private_key, public_key from wallet_sync.account order by id limit $1)
     union (select id, private_key, public_key from wallet_sync.account order by id desc limit $1)`,
    [each],
  );
  return rows.map((row) => ({ accountId: row.id, encryptedPrivateKey: row.private_key, publicKey: row.public_key }));
}
