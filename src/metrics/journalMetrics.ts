import { Counter, Gauge, type Registry } from 'prom-client';
import { COUNTER_NAMES } from '../journal/cycles.js';
import type { BriskMetrics, LargeMetrics } from '../journal/metrics.js';
import { bounded, LABELS } from './labels.js';

const FLOW = 100_000_000;

export type JournalMetrics = BriskMetrics & LargeMetrics;

export interface JournalMetricsOptions {
  /** The only addresses that become labels, by their names. */
  readonly funders: readonly { readonly name: string; readonly address: string }[];
}

/**
 * What the journal tells of the whole service: the same from every instance, and after a restart. Null: it could not be read; then nothing of
 * it is shown, since an old number would look like a present one.
 */
export function createJournalMetrics(registry: Registry, { funders }: JournalMetricsOptions): (read: JournalMetrics | null) => void {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> => new Gauge({ name: `wallet_sync_${name}`, help, labelNames, registers: [registry] });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> => new Counter({ name: `wallet_sync_${name}`, help, labelNames, registers: [registry] });

  const up = gauge('database_up', 'Whether the journal could be read for this answer.');
  const users = gauge('users', 'Users by state, as wallet-sync status counts them: ready is who has an address.', ['state']);
  const accounts = gauge('accounts', 'Accounts by state.', ['state']);
  const slots = gauge('slots', 'Keys of the funders, by what can be done with them.', ['state']);
  const transactions = counter('transactions_total', 'Transactions of all instances that sealed, as done or as failed.', ['kind', 'end']);
  // No counter: one that seals after all is given up no more.
  const givenUp = gauge('transactions_given_up', 'Transactions of all instances that were given up and have not been seen since.', ['kind']);
  const balances = gauge('funder_balance_flow', 'What a funder had when an instance last looked, in FLOW.', ['funder']);
  const seen = gauge('funder_seen_timestamp_seconds', "When a funder's balance was looked at.", ['funder']);
  const limits = {
    most: gauge('limit', 'The most that may be spent within its window, in FLOW or accounts; missing where it is off.', ['limit']),
    used: gauge('limit_used', 'What is spent of it, and what unsealed transactions may still spend.', ['limit']),
    room: gauge('limit_room_seconds', 'How long until one more account fits into it; 0: now.', ['limit']),
  };
  const single = {
    pool_free: [gauge('pool_free', 'Accounts that wait for a sign-up.'), (r: JournalMetrics) => r.free],
    oldest_waiting_seconds: [gauge('oldest_waiting_seconds', 'How long the user who waits longest has waited; 0 where nobody waits.'), (r: JournalMetrics) => r.oldest_waiting_s ?? 0],
    slots_free: [gauge('slots_free', 'Keys of the funders that can propose now.'), (r: JournalMetrics) => r.slots_free],
    wallets_apart: [gauge('wallets_apart', 'Wallets that failed standing alone and are left out of batches.'), (r: JournalMetrics) => r.apart],
    transactions_unsealed: [gauge('transactions_unsealed', 'Transactions of all instances without an end.'), (r: JournalMetrics) => r.unsealed],
    oldest_unsealed_seconds: [gauge('oldest_unsealed_seconds', 'Age of the oldest of them; 0 where there is none.'), (r: JournalMetrics) => r.oldest_unsealed_s ?? 0],
    instances: [gauge('instances', 'Living instances on this database.'), (r: JournalMetrics) => r.instances],
    paused: [gauge('paused', 'Whether the service is paused.'), (r: JournalMetrics) => (r.paused ? 1 : 0)],
    sweep_ended_timestamp_seconds: [gauge('sweep_ended_timestamp_seconds', 'When the last sweep ended; missing before the first.'), (r: JournalMetrics) => r.sweep_ended_at],
    database_connections: [gauge('database_connections', "Connections of the daemon's role, of all instances."), (r: JournalMetrics) => r.connections],
    database_size_bytes: [gauge('database_size_bytes', 'Size of the database on disc.'), (r: JournalMetrics) => r.size_bytes],
  } as const;
  const cycles = [
    ...COUNTER_NAMES.map((name) => ({ name, each: counter(`cycle_${name}_total`, `${name} of all sweeps ever, added.`) })),
    { name: 'cycles' as const, each: counter('cycles_total', 'Sweeps that have begun.') },
  ];
  const spent = counter('cycle_spent_flow_total', 'FLOW that all sweeps spent on wallets and fees.');

  const clear = (): void => {
    for (const metric of [users, accounts, slots, transactions, givenUp, balances, seen, ...Object.values(limits)]) metric.reset();
    // Without labels `reset` would leave a 0 that nobody counted.
    for (const [metric] of Object.values(single)) metric.remove({});
    for (const { each } of cycles) each.remove({});
    spent.remove({});
  };

  return (read) => {
    clear();
    up.set(read === null ? 0 : 1);
    if (read === null) return;
    for (const state of LABELS.user) users.set({ state }, read[state]);
    const inState: Readonly<Record<string, number>> = { ...read.openAccounts, free: read.free, assigned: read.assigned };
    for (const state of LABELS.account) accounts.set({ state }, inState[state] ?? 0);
    slots.set({ state: 'free' }, read.slots_free);
    slots.set({ state: 'out of rotation' }, read.slots_out);
    slots.set({ state: 'busy' }, Math.max(0, read.slots - read.slots_free - read.slots_out));
    // All of them, from the start: a rate sees no step from nothing to one.
    for (const kind of LABELS.does) {
      for (const end of ['sealed', 'failed'] as const) transactions.inc({ kind, end }, 0);
      givenUp.set({ kind }, 0);
    }
    for (const { kind, state, transactions: count } of read.transactions) {
      if (state === 'given_up') givenUp.inc({ kind: bounded('does', kind) }, count);
      else transactions.inc({ kind: bounded('does', kind), end: bounded('end', state) }, count);
    }
    for (const { name, most, used, roomInS } of read.limits) {
      if (most === null) continue;
      const unit = name === 'accounts_short' ? 1 : FLOW;
      limits.most.set({ limit: name }, Number(most) / unit);
      limits.used.set({ limit: name }, Number(used) / unit);
      // Not known: when an unsealed transaction settles, within seconds.
      limits.room.set({ limit: name }, roomInS ?? 1);
    }
    for (const { name, address } of funders) {
      const known = read.balances.find((each) => each.address === address);
      if (known === undefined) continue;
      balances.set({ funder: name }, Number(known.balance) / FLOW);
      seen.set({ funder: name }, known.seen_at);
    }
    for (const [metric, valueOf] of Object.values(single)) {
      const value = valueOf(read);
      if (value !== null) metric.set(value);
    }
    for (const { name, each } of cycles) each.inc(read.cycles[name]);
    spent.inc(read.cycles.flow_spent / FLOW);
  };
}
