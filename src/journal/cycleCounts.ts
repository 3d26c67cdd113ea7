import type { Db } from './pool.js';

/** What one transaction adds to its cycle; nothing where it is left out. */
export interface CycleCounts {
  readonly synced_wallets?: number;
  readonly vaults_created?: number;
  readonly flow_funding_needed?: number;
  readonly flow_funding_success?: number;
  readonly flow_funding_errors?: number;
  /** In 10^-8 FLOW, fees included. */
  readonly flow_spent?: bigint;
}

/** Adds to a cycle's counters, also when it has ended. To be the last statement of a SQL transaction: all share the row. Only the spending limits lock others after it, at the commit (sql/020). */
export async function addToCycle(db: Db, cycle: number, counts: CycleCounts): Promise<void> {
  await db.query(
    `update wallet_sync.cycle
     set synced_wallets = synced_wallets + $2, vaults_created = vaults_created + $3, flow_funding_needed = flow_funding_needed + $4,
       flow_funding_success = flow_funding_success + $5, flow_funding_errors = flow_funding_errors + $6, flow_spent = flow_spent + $7::bigint
     where id = $1`,
    [cycle, counts.synced_wallets ?? 0, counts.vaults_created ?? 0, counts.flow_funding_needed ?? 0, counts.flow_funding_success ?? 0, counts.flow_funding_errors ?? 0, `${counts.flow_spent ?? 0n}`],
  );
}
