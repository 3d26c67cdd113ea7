import { describe, expect, it } from 'vitest';
import type { JournalMetrics } from '../../src/metrics/journalMetrics.js';
import { createInstruments } from '../../src/metrics/metrics.js';
import { COUNTER_NAMES } from '../../src/journal/cycles.js';
import { LABELS } from '../../src/metrics/labels.js';
import type { ServiceEvent } from '../../src/telemetry/events.js';
import { register } from 'prom-client';

const FUNDER = { name: 'funder-1', address: '0x00000000000000aa' };
const make = () =>
  createInstruments({ funders: [FUNDER], version: '0.1.0', network: 'emulator', startedAtSeconds: 1, sweepIntervalSeconds: 300, poolSize: 25, lowWaterFlow: 5.07 });

const journal: JournalMetrics = {
  ready: 10, waiting: 2, oldest_waiting_s: 3.5, held: 0, corrupted: 1, orphaned: 4, apart: 0, free: 7, assigned: 10,
  slots: 9, slots_free: 6, slots_out: 1, unsealed: 2, oldest_unsealed_s: 4, instances: 2, paused: false, sweep_ended_at: 1_700_000_000, connections: 5, size_bytes: 1_000,
  openAccounts: { set_aside: 1 },
  transactions: [{ kind: 'create', state: 'sealed', transactions: 3 }, { kind: 'fund', state: 'given_up', transactions: 1 }],
  cycles: { cycles: 2, flow_spent: 150_000_000, ...(Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i + 1])) as Record<(typeof COUNTER_NAMES)[number], number>) },
  limits: [
    { name: 'flow_short', most: 200_000_000_000n, used: 150_000_000n, windowS: 3_600, roomInS: 0 },
    { name: 'flow_long', most: null, used: 150_000_000n, windowS: 86_400, roomInS: 0 },
    { name: 'accounts_short', most: 500n, used: 500n, windowS: 3_600, roomInS: 12.5 },
  ],
  balances: [{ address: FUNDER.address, balance: '1234000000', seen_at: 1_700_000_001 }, { address: '0x00000000000000bb', balance: '1', seen_at: 1 }],
};

const FOREIGN = 'f47ac10b-58cc-4372-a567-0e02b2c3d479 0x00000000000000cc "\n} evil';
/** One of each kind, every text of it unheard of. */
const STRANGE: readonly ServiceEvent[] = [
  { kind: 'wallet-ready', authId: FOREIGN, address: FOREIGN, source: FOREIGN, fromPool: true, waitedMs: 5 },
  { kind: 'transaction-recorded', txId: FOREIGN, does: FOREIGN, members: 3 },
  { kind: 'transaction-ended', txId: FOREIGN, does: FOREIGN, end: 'failed', error: FOREIGN as 'data', members: 3, durationMs: 100 },
  { kind: 'transaction-ended', txId: FOREIGN, does: 'create', end: 'sealed', error: null, members: 3, durationMs: 100 },
  { kind: 'script-done', addresses: 1_000, durationMs: 80 },
  { kind: 'stage-done', stage: FOREIGN, durationMs: 80 },
  { kind: 'sweep-done', cycle: 1, durationMs: 80 },
  { kind: 'signal-heard', source: FOREIGN, signal: FOREIGN },
  { kind: 'source-reconnected', source: FOREIGN },
  { kind: 'limiter-waited', call: FOREIGN, waitedMs: 3 },
  { kind: 'call-done', peer: 'access-node', call: 'script', durationMs: 30, sentBytes: 10, receivedBytes: 20, isAnswered: true },
  { kind: 'call-done', peer: 'supabase', call: FOREIGN, durationMs: 30, sentBytes: 0, receivedBytes: 7, isAnswered: false },
  { kind: 'work-failed', work: FOREIGN, error: FOREIGN as 'data' },
];

describe('the metrics', () => {
  it('are all named wallet_sync_…, have a help, and none is in the global registry', () => {
    const { registry } = make();
    const all = registry.getMetricsAsArray() as unknown as readonly { name: string; help: string }[];
    expect(all.length).toBeGreaterThan(40);
    for (const { name, help } of all) {
      expect(name).toMatch(/^wallet_sync_[a-z0-9_]+$/);
      expect(help.length, name).toBeGreaterThan(8);
    }
    expect(register.getMetricsAsArray()).toEqual([]);
  });

  it('show what the journal tells, the ten counters by their names', async () => {
    const { registry, setJournal } = make();
    setJournal(journal);
    const lines = (await registry.metrics()).split('\n');
    expect(lines).toEqual(expect.arrayContaining([
      'wallet_sync_users{state="ready"} 10', 'wallet_sync_users{state="waiting"} 2', 'wallet_sync_users{state="orphaned"} 4', 'wallet_sync_accounts{state="set_aside"} 1', 'wallet_sync_accounts{state="failed"} 0',
      'wallet_sync_pool_free 7', 'wallet_sync_oldest_waiting_seconds 3.5', 'wallet_sync_slots{state="busy"} 2', 'wallet_sync_slots_free 6', 'wallet_sync_database_up 1',
      'wallet_sync_transactions_total{kind="create",end="sealed"} 3', 'wallet_sync_transactions_given_up{kind="fund"} 1',
      'wallet_sync_funder_balance_flow{funder="funder-1"} 12.34', 'wallet_sync_cycle_spent_flow_total 1.5', 'wallet_sync_cycles_total 2',
      'wallet_sync_limit{limit="flow_short"} 2000', 'wallet_sync_limit_used{limit="flow_short"} 1.5', 'wallet_sync_limit_used{limit="accounts_short"} 500', 'wallet_sync_limit_room_seconds{limit="accounts_short"} 12.5',
      ...COUNTER_NAMES.map((name, i) => `wallet_sync_cycle_${name}_total ${i + 1}`),
    ]));
  });

  it('show nothing of a journal that cannot be read, rather than what it told before', async () => {
    const { registry, setJournal } = make();
    setJournal(journal);
    const told = (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#'));
    setJournal(null);
    const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toContain('wallet_sync_database_up 0');
    expect(lines.filter((line) => /^wallet_sync_(users|accounts|slots|pool_free|cycle_|cycles|funder_balance|funder_seen|oldest|paused|limit|instances|transactions_total|transactions_given_up)/.test(line))).toEqual([]);
    setJournal(journal);
    expect((await registry.metrics()).split('\n').filter((line) => !line.startsWith('#'))).toEqual(told);
  });

  it('counts the same however often it is asked', async () => {
    const { registry, setJournal } = make();
    setJournal(journal);
    const first = await registry.metrics();
    setJournal(journal);
    expect(await registry.metrics()).toBe(first);
  });

  it('have labels of closed lists: no user, address or foreign text makes a series', async () => {
    const { registry, note, setJournal } = make();
    STRANGE.forEach(note);
    setJournal({ ...journal, openAccounts: { ...journal.openAccounts, [FOREIGN]: 1 }, transactions: [{ kind: FOREIGN, state: FOREIGN, transactions: 1 }] });
    const text = await registry.metrics();
    for (const piece of ['f47ac10b', '0x', 'evil', 'bb']) expect(text).not.toContain(piece);
    const allowed = new Set<string>([...Object.values(LABELS).flat(), 'other', 'none', 'yes', 'no', 'access_node', 'supabase', 'busy', 'out of rotation', 'free', 'funder-1', 'emulator', '0.1.0']);
    for (const [, label, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) if (label !== 'le') expect(allowed, label).toContain(value);
    expect(text).toContain('wallet_sync_signals_total{source="other",signal="other"} 1');
  });

  it('are fed by the events: seconds, bytes and counts', async () => {
    const { registry, note } = make();
    STRANGE.forEach(note);
    const lines = (await registry.metrics()).split('\n');
    expect(lines).toEqual(expect.arrayContaining([
      'wallet_sync_ready_seconds_sum{from_pool="yes"} 0.005', 'wallet_sync_seal_seconds_count{kind="create"} 1', 'wallet_sync_script_seconds_sum 0.03', 'wallet_sync_script_wallets_sum 1000',
      'wallet_sync_peer_received_bytes_total{peer="supabase"} 7', 'wallet_sync_peer_calls_total{peer="supabase",call="other",answered="no"} 1',
    ]));
  });
});
