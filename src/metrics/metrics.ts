import { Registry } from 'prom-client';
import { lowWaterMark } from '../handlers/checkFunders.js';
import type { Instance } from '../handlers/instance.js';
import { readBrisk, readLarge, type LargeMetrics } from '../journal/metrics.js';
import { packageVersion } from '../packagePath.js';
import { createSharedRead } from '../sharedRead.js';
import { within } from '../waiting.js';
import { createEventMetrics } from './eventMetrics.js';
import { createJournalMetrics, type JournalMetrics } from './journalMetrics.js';
import { createProcessMetrics } from './processMetrics.js';
import { startProcessSampler, type ProcessSample } from './processSample.js';

/** What process and database use now; null where the database did not say. */
export interface Resources {
  readonly process: { rss_bytes: number; heap_bytes: number; cpu_ratio: number; event_loop_lag_ms: number; uptime_s: number };
  readonly database: { connections: number | null; size_bytes: number | null; pool_total: number; pool_idle: number; pool_waiting: number };
}

export interface Metrics {
  /** The Prometheus text. Answers also while the database doesn't; it says so then. */
  text(): Promise<{ contentType: string; body: string }>;
  resources(): Promise<Resources>;
  /** As the process is now. */
  sample(): ProcessSample;
  stop(): void;
}

export interface MetricsOptions {
  /** How old an answer of the journal may be, in milliseconds. Default 2,000; 0: always read anew. */
  readonly readEveryMs?: number;
}

/** Who asks is not kept waiting longer for either by a database that is slow; Prometheus gives up after 10 s. */
const ANSWER_MS = 4_000;

/** Every metric of an instance, in a registry of its own: those with labels are made here too, so that their names are known before their first value. */
export function createInstruments(about: { readonly funders: readonly { readonly name: string; readonly address: string }[] } & Parameters<typeof createProcessMetrics>[1]) {
  const registry = new Registry();
  return { registry, note: createEventMetrics(registry), setJournal: createJournalMetrics(registry, about), setProcess: createProcessMetrics(registry, about) };
}

/** Watches the instance until it is stopped. The journal is read when somebody asks, once for all who ask. */
export function createMetrics(instance: Instance, options: MetricsOptions = {}): Metrics {
  const { settings, journal, node, network, statistics, telemetry } = instance;
  const { registry, note, setJournal, setProcess } = createInstruments({
    funders: network.funders,
    version: packageVersion(),
    network: network.name,
    startedAtSeconds: Date.now() / 1_000 - process.uptime(),
    sweepIntervalSeconds: settings.SYNC_INTERVAL,
    poolSize: settings.POOL_SIZE,
    lowWaterFlow: Number(lowWaterMark(settings)) / 1e8,
  });
  const sampler = startProcessSampler();
  const watching = telemetry.events$.subscribe(note);
  const { readEveryMs = 2_000 } = options;
  const [brisk, large] = [createSharedRead(() => readBrisk(journal), readEveryMs), createSharedRead(() => readLarge(journal), readEveryMs)];
  let counted: LargeMetrics | null = null;
  const read = async (): Promise<JournalMetrics | null> => {
    const fresh = await inTime(brisk.read());
    if (fresh === null) return null;
    // Where counting takes too long, the last count is better than hiding who waits.
    counted = (await inTime(large.read())) ?? counted;
    return counted === null ? null : { ...fresh, ...counted };
  };
  const waitingCalls = (): Record<string, number> => Object.fromEntries(Object.entries(node.calls()).map(([kind, { waiting }]) => [kind, waiting]));

  return {
    async text() {
      setJournal(await read());
      setProcess({ sample: sampler.sample(), journal: journal.load(), sources: statistics.sources, accessNode: statistics.accessNode, waitingCalls: waitingCalls() });
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    async resources() {
      const found = await read();
      const { rssBytes, heapBytes, cpuRatio, lagMs, uptimeSeconds } = sampler.sample();
      const pool = journal.load();
      return {
        process: { rss_bytes: rssBytes, heap_bytes: heapBytes, cpu_ratio: cpuRatio, event_loop_lag_ms: lagMs, uptime_s: uptimeSeconds },
        database: { connections: found?.connections ?? null, size_bytes: found?.size_bytes ?? null, pool_total: pool.connections, pool_idle: pool.idle, pool_waiting: pool.waiting },
      };
    },
    sample: () => sampler.sample(),
    stop() {
      watching.unsubscribe();
      sampler.stop();
    },
  };
}

/** Null where it fails, or takes longer than who asks can wait. */
async function inTime<T>(work: Promise<T>): Promise<T | null> {
  let answer: T | null = null;
  await within(ANSWER_MS, work.then((found) => (answer = found), () => undefined));
  return answer;
}
