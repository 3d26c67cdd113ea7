import { z } from 'zod';
import { queryOne, type Db } from './pool.js';

/** The ten counters of a cycle; the same names everywhere. */
export interface Counters {
  total_wallets: number;
  synced_wallets: number;
  corrupted_wallets: number;
  wallets_created: number;
  vaults_created: number;
  vaults_already_exist: number;
  flow_balance_checks: number;
  flow_funding_needed: number;
  flow_funding_success: number;
  flow_funding_errors: number;
}

/** All ten at zero. */
export function zeroCounters(): Counters {
  return {
    total_wallets: 0,
    synced_wallets: 0,
    corrupted_wallets: 0,
    wallets_created: 0,
    vaults_created: 0,
    vaults_already_exist: 0,
    flow_balance_checks: 0,
    flow_funding_needed: 0,
    flow_funding_success: 0,
    flow_funding_errors: 0,
  };
}

/** Opens a cycle's record. */
export async function openCycle(db: Db, instanceId: string, reason: string): Promise<number> {
  return (await queryOne(db, z.object({ id: z.number() }), 'insert into wallet_sync.cycle (instance, reason) values ($1, $2) returning id', [instanceId, reason])).id;
}

/** Saves a cycle's counters and how far it came; `ended` closes it. */
export async function saveCycle(db: Db, cycle: { id: number; counters: Counters; lastUser: string | null; ended: boolean }): Promise<void> {
  const names = Object.keys(cycle.counters) as (keyof Counters)[];
  const assignments = names.map((name, index) => `${name} = $${index + 4}`).join(', ');
  await db.query(
    `update wallet_sync.cycle set last_user = $2, ended_at = case when $3 then clock_timestamp() end, ${assignments} where id = $1`,
    [cycle.id, cycle.lastUser, cycle.ended, ...names.map((name) => cycle.counters[name])],
  );
}
