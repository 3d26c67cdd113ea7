import { Counter, Gauge, type Registry } from 'prom-client';
import type { JournalLoad } from '../journal/pool.js';
import type { ProcessSample } from './processSample.js';

export interface ProcessState {
  readonly sample: ProcessSample;
  readonly journal: JournalLoad;
  /** As each source and the access node last reported themselves. */
  readonly sources: Readonly<Record<string, { readonly state: string }>>;
  readonly accessNode: { readonly state: string } | null;
  /** Calls that wait for room, by kind. */
  readonly waitingCalls: Readonly<Record<string, number>>;
}

/** What this process is, and what its settings allow, for alerts to compare with. */
export interface Fixed {
  readonly version: string;
  readonly network: string;
  readonly startedAtSeconds: number;
  readonly sweepIntervalSeconds: number;
  readonly poolSize: number;
  readonly lowWaterFlow: number;
}

/** The process's own state, read as it is at each answer. */
export function createProcessMetrics(registry: Registry, fixed: Fixed): (now: ProcessState) => void {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> => new Gauge({ name: `wallet_sync_${name}`, help, labelNames, registers: [registry] });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> => new Counter({ name: `wallet_sync_${name}`, help, labelNames, registers: [registry] });

  gauge('build_info', 'Version and network of this instance; always 1.', ['version', 'network']).set({ version: fixed.version, network: fixed.network }, 1);
  gauge('process_start_timestamp_seconds', 'When this process began.').set(fixed.startedAtSeconds);
  gauge('sweep_interval_seconds', 'SYNC_INTERVAL.').set(fixed.sweepIntervalSeconds);
  gauge('pool_size', 'POOL_SIZE.').set(fixed.poolSize);
  gauge('funder_low_water_flow', 'A funder with less leaves the rotation.').set(fixed.lowWaterFlow);
  const cpu = counter('process_cpu_seconds_total', 'Processor time of this process.');
  const rss = gauge('process_resident_memory_bytes', 'Resident memory.');
  const heap = gauge('process_heap_bytes', 'Heap in use.');
  const lag = gauge('event_loop_lag_seconds', 'How late the event loop is: the 99th percentile of the last 10 s.');
  const worstLag = gauge('event_loop_lag_max_seconds', 'The worst of the last 10 s.');
  const connections = gauge('database_pool_connections', "Connections of this instance's pool.", ['state']);
  const most = gauge('database_pool_most', 'Connections that the pool may have.');
  const waiting = gauge('database_pool_waiting', 'Statements and transactions that wait for a connection.');
  const statements = counter('database_statements_total', 'Statements that this instance sent to Postgres.');
  const received = counter('database_received_bytes_total', 'Bytes received from Postgres.');
  const sent = counter('database_sent_bytes_total', 'Bytes sent to Postgres.');
  const source = gauge('source_up', 'Whether a source has proved itself and is heard.', ['source']);
  const node = gauge('access_node_up', 'Whether the access node answers; missing before its first answer.');
  const queue = gauge('limiter_waiting', 'Calls that wait for room below the limits of the access node.', ['call']);

  return ({ sample, journal, sources, accessNode, waitingCalls }) => {
    replace(cpu, sample.cpuSeconds);
    rss.set(sample.rssBytes);
    heap.set(sample.heapBytes);
    lag.set(sample.lagMs / 1_000);
    worstLag.set(sample.worstLagMs / 1_000);
    connections.set({ state: 'idle' }, journal.idle);
    connections.set({ state: 'busy' }, Math.max(0, journal.connections - journal.idle));
    most.set(journal.most);
    waiting.set(journal.waiting);
    replace(statements, journal.statements);
    replace(received, journal.receivedBytes);
    replace(sent, journal.sentBytes);
    source.reset();
    for (const [name, { state }] of Object.entries(sources)) source.set({ source: name }, state === 'ok' ? 1 : 0);
    if (accessNode === null || accessNode.state === 'unknown') node.remove({});
    else node.set(accessNode.state === 'ok' ? 1 : 0);
    for (const [call, calls] of Object.entries(waitingCalls)) queue.set({ call }, calls);
  };
}

/** A total that is counted elsewhere. */
function replace(counter: Counter, total: number): void {
  counter.reset();
  counter.inc(total);
}
