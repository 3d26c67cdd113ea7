import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** The ten counters of a cycle; the same names everywhere. */
export const COUNTER_NAMES = [
  'total_wallets',
  'synced_wallets',
  'corrupted_wallets',
  'wallets_created',
  'vaults_created',
  'vaults_already_exist',
  'flow_balance_checks',
  'flow_funding_needed',
  'flow_funding_success',
  'flow_funding_errors',
] as const;
export type Counters = Record<(typeof COUNTER_NAMES)[number], number>;

/** What a cycle counts besides: users who wait for an account, wallets left out because they failed standing alone, wallets whose state could not be told, and wallets that a spending limit leaves as they are. */
const MORE_NAMES = ['waiting', 'set_apart', 'unknown', 'limited'] as const;
const TALLIED = [...COUNTER_NAMES, ...MORE_NAMES] as const;

/** Where a sweep's time goes. */
export const STAGES = ['user_fetch', 'wallet_validation', 'blockchain_state_check', 'vault_management', 'funding_check', 'config_generation'] as const;
export type Stage = (typeof STAGES)[number];

/** What a step of a sweep adds to its record. */
export interface Tally {
  readonly counts: Partial<Record<(typeof TALLIED)[number], number>>;
  /** Calls to the chain, by kind. */
  readonly calls: Readonly<Record<string, number>>;
  /** By kind. */
  readonly errors: Readonly<Record<string, number>>;
  /** Milliseconds. */
  readonly stages: Readonly<Record<string, number>>;
}

const countShape = z.record(z.string(), z.coerce.number());
const tallied = Object.fromEntries(TALLIED.map((name) => [name, z.number()])) as Record<(typeof TALLIED)[number], z.ZodNumber>;

const cycleRow = z.object({
  id: z.number(),
  reason: z.string(),
  source: z.string().nullable(),
  started_at: z.date(),
  ended_at: z.date().nullable(),
  cursor: z.string().nullable(),
  /** In 10^-8 FLOW: fees, and what the wallets were given. */
  flow_spent: z.number(),
  calls: countShape,
  errors: countShape,
  stages: countShape,
  ...tallied,
});

/** A sweep's saved record. */
export type Cycle = z.output<typeof cycleRow>;

export interface CycleStart {
  readonly instanceId: string;
  readonly reason: string;
  /** Where the users come from: another source's cursor means nothing. */
  readonly source: string;
  /** Whether a cycle that was broken off may be resumed. */
  readonly resumes: boolean;
}

/** A cycle that was broken off longer ago is left as it is: its first pages are as old. */
const RESUMED_WITHIN_MINUTES = 60;

/** Opens a cycle's record, or (where allowed) the newest one of its source, if it was broken off, to go on from its cursor. Under the sweep's lease, so no other instance writes to it. */
export async function openCycle(db: Db, start: CycleStart): Promise<Cycle> {
  const resumed = start.resumes
    ? await queryRows(
        db,
        cycleRow,
        `update wallet_sync.cycle set instance = $1
         where id = (select max(id) from wallet_sync.cycle where source = $2) and ended_at is null
           and started_at > clock_timestamp() - make_interval(mins => $3)
         returning *`,
        [start.instanceId, start.source, RESUMED_WITHIN_MINUTES],
      )
    : [];
  return resumed[0] ?? queryOne(db, cycleRow, 'insert into wallet_sync.cycle (instance, reason, source) values ($1, $2, $3) returning *', [start.instanceId, start.reason, start.source]);
}

/** Adds a step's counts to a cycle and (not null) moves its cursor. Settling transactions add theirs meanwhile, so nothing is ever set. */
export async function saveStep(db: Db, cycleId: number, tally: Tally, cursor: string | null): Promise<void> {
  const added = TALLIED.map((name, i) => `${name} = ${name} + $${i + 6}`).join(', ');
  await db.query(
    `update wallet_sync.cycle set cursor = coalesce($2, cursor), calls = wallet_sync.add_counts(calls, $3), errors = wallet_sync.add_counts(errors, $4),
       stages = wallet_sync.add_counts(stages, $5), ${added}
     where id = $1`,
    [cycleId, cursor, JSON.stringify(tally.calls), JSON.stringify(tally.errors), JSON.stringify(tally.stages), ...TALLIED.map((name) => tally.counts[name] ?? 0)],
  );
}

/** Closes a cycle. What its transactions do later is still added. */
export async function endCycle(db: Db, cycleId: number): Promise<void> {
  await db.query('update wallet_sync.cycle set ended_at = clock_timestamp() where id = $1', [cycleId]);
}

/** A cycle's record as it stands. */
export async function readCycle(db: Db, cycleId: number): Promise<Cycle> {
  return queryOne(db, cycleRow, 'select * from wallet_sync.cycle where id = $1', [cycleId]);
}

/** The newest cycle's record; null before the first. */
export async function lastCycle(db: Db): Promise<Cycle | null> {
  return (await lastCycles(db, 1))[0] ?? null;
}

/** The records of the newest cycles, the newest first. */
export async function lastCycles(db: Db, limit: number): Promise<Cycle[]> {
  return queryRows(db, cycleRow, 'select * from wallet_sync.cycle order by id desc limit $1', [limit]);
}

/** The sweep that an instance has left open; null where it has left none. */
export async function openCycleOf(db: Db, instanceId: string): Promise<Cycle | null> {
  return (await queryRows(db, cycleRow, 'select * from wallet_sync.cycle where instance = $1 and ended_at is null order by id desc limit 1', [instanceId]))[0] ?? null;
}

/** The ten counters of a cycle, in their order. */
export function countersOf(cycle: Cycle): Counters {
  return Object.fromEntries(COUNTER_NAMES.map((name) => [name, cycle[name]])) as Counters;
}

/** The cycle's transactions that are not settled yet. */
export async function unsettledOf(db: Db, cycleId: number): Promise<number> {
  return (await queryOne(db, z.object({ count: z.number() }), "select count(*) from wallet_sync.transaction where cycle = $1 and state = 'live'", [cycleId])).count;
}
