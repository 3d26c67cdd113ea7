import { defer, from, switchMap, type Observable } from 'rxjs';
import type { Instance } from '../handlers/instance.js';
import { anyoneWaiting } from '../journal/assignments.js';
import { sendCanary, sendHeartbeat } from '../journal/canary.js';
import { createBacklogPoll } from '../streams/backlogPoll.js';
import type { SourceHealth } from '../streams/health.js';
import { mergeSources, type MergedSignals, type NamedSource } from '../streams/merge.js';
import { createNotifySource } from '../streams/notifySource.js';
import { createRealtimeSource } from '../streams/realtimeSource.js';
import type { Signal } from '../streams/signal.js';
import { createStartSource } from '../streams/startSource.js';
import { createTimerSource } from '../streams/timerSource.js';
import { createDeferred, within } from '../waiting.js';

/** The backlog, the first sweep and Realtime come after the first proof, or this late: what they load and ask must not delay it. */
const FIRST_PROOF_MS = 1_000;

export interface Sources {
  readonly signals: MergedSignals;
  /** Resolves when a source has proved that it hears. */
  readonly firstProof: Promise<void>;
}

/** Every doorbell of an instance, merged. How well each hears is logged and kept in its statistics until `stopping`. */
export function openSources(instance: Instance, stopping: AbortSignal): Sources {
  const { settings, journal, log, statistics, telemetry } = instance;
  const firstProof = createDeferred();
  const wasUnwell = new Set<string>();
  const onHealth = (source: string) => (now: SourceHealth): void => {
    const isUnwell = now.state === 'mute' || now.state === 'down';
    if (isUnwell) wasUnwell.add(source);
    if (now.state === 'ok' && wasUnwell.delete(source)) telemetry.emit({ kind: 'source-reconnected', source });
    statistics.sources[source] = { state: now.state, reason: now.reason };
    if (stopping.aborted) return;
    if (now.state === 'ok') firstProof.resolve();
    log[isUnwell ? 'warn' : 'info']({ source, state: now.state, reason: now.reason }, 'source health');
  };
  const afterFirstProof = <T>(source$: Observable<T>): Observable<T> => defer(() => from(within(FIRST_PROOF_MS, firstProof.promise))).pipe(switchMap(() => source$));
  const sources: NamedSource[] = [
    { name: 'notify', signals$: createNotifySource({ connectionString: settings.DATABASE_URL, sendHeartbeat: (nonce) => sendHeartbeat(journal, nonce), log, onHealth: onHealth('notify') }) },
    ...(settings.REALTIME ? [{ name: 'realtime', signals$: afterFirstProof(realtimeSignals(instance, onHealth('realtime'))) }] : []),
    { name: 'poll', signals$: createBacklogPoll({ everyMs: settings.BACKLOG_POLL * 1_000, anyoneWaiting: () => from(anyoneWaiting(journal)), log }) },
    { name: 'timer', signals$: createTimerSource({ intervalMs: settings.SYNC_INTERVAL * 1_000, random: Math.random }) },
    { name: 'start', signals$: afterFirstProof(createStartSource()) },
  ];
  return { signals: mergeSources(sources, { log }), firstProof: firstProof.promise };
}

function realtimeSignals(instance: Instance, onHealth: (health: SourceHealth) => void): Observable<Signal> {
  const { settings, journal, log, telemetry, id } = instance;
  // 0.2 s to import: NOTIFY listens meanwhile.
  return defer(() => from(Promise.all([import('../streams/realtimeClient.js'), import('../telemetry/countedSocket.js')]))).pipe(
    switchMap(([{ createRealtimeClient }, { createCountedSocket }]) => {
      const client = createRealtimeClient({ url: settings.SUPABASE_URL, key: settings.SUPABASE_SERVICE_ROLE_KEY, transport: createCountedSocket(telemetry) });
      return createRealtimeSource({ client, sendCanary: (nonce) => sendCanary(journal, id, nonce), log, onHealth });
    }),
  );
}
