import { formatAmount } from '../flow/amount.js';
import { countersOf, type Cycle } from '../journal/cycles.js';

/** A cycle as the reports have it: amounts as decimals, `stages` in milliseconds. */
export const cycleToJson = (cycle: Cycle) => ({
  id: cycle.id,
  reason: cycle.reason,
  source: cycle.source,
  started_at: cycle.started_at,
  ended_at: cycle.ended_at,
  ...countersOf(cycle),
  waiting: cycle.waiting,
  set_apart: cycle.set_apart,
  unknown: cycle.unknown,
  limited: cycle.limited,
  flow_spent: formatAmount(BigInt(cycle.flow_spent)),
  calls: cycle.calls,
  errors: cycle.errors,
  stages: cycle.stages,
});
