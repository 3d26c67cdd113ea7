import { Counter, Histogram, type Registry } from 'prom-client';
import type { ServiceEvent } from '../telemetry/events.js';
import { bounded } from './labels.js';

/** Seconds. A sign-up served from the pool takes milliseconds, one that waits for its batch 10 s on mainnet, one without funders hours. */
const READY = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60, 120, 300, 900, 3_600];
const SEAL = [0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600, 900];
const CALL = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WAIT = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SWEEP = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200];
const MEMBERS = [1, 2, 5, 10, 15, 20, 25, 50, 100, 150];
const ADDRESSES = [1, 10, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000];

/** What this instance has done since its start, counted from its events. Returns who takes them. */
export function createEventMetrics(registry: Registry): (event: ServiceEvent) => void {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> => new Counter({ name: `wallet_sync_${name}`, help, labelNames, registers: [registry] });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[]): Histogram<L> =>
    new Histogram({ name: `wallet_sync_${name}`, help, buckets, labelNames, registers: [registry] });

  const ready = histogram('ready_seconds', 'From a sign-up to its wallet, of those that this instance gave.', READY, ['from_pool']);
  const given = counter('wallets_given_total', 'Wallets that this instance gave, by the source that led to it.', ['source']);
  const recorded = counter('transactions_recorded_total', 'Transactions that this instance signed and committed.', ['kind']);
  const ended = counter('transactions_ended_total', 'Ends of transactions that this instance recorded; error: none where it sealed.', ['kind', 'end', 'error']);
  const seal = histogram('seal_seconds', "From a transaction's commit to its recorded seal.", SEAL, ['kind']);
  const members = histogram('batch_members', 'Accounts or wallets that one transaction serves.', MEMBERS, ['kind']);
  const script = histogram('script_seconds', 'Time the access node takes for a script.', CALL, []);
  const addresses = histogram('script_wallets', 'Wallets that one script looks at.', ADDRESSES, []);
  const stages = histogram('sweep_stage_seconds', 'Time a sweep spends in a stage, over all its pages; stages overlap.', SWEEP, ['stage']);
  const sweeps = histogram('sweep_seconds', 'From the start of a sweep to its end.', SWEEP, []);
  const signals = counter('signals_total', 'What the sources said.', ['source', 'signal']);
  const reconnects = counter('source_reconnects_total', 'Times a source that was down or mute proved itself again.', ['source']);
  const waited = histogram('limiter_wait_seconds', 'Time a call waits for room below the limits of the access node.', WAIT, ['call']);
  const calls = counter('peer_calls_total', 'Calls to a peer, or messages to and from Realtime; answered: no where no answer came or it was a refusal.', ['peer', 'call', 'answered']);
  const received = counter('peer_received_bytes_total', 'Bytes of the answers of a peer.', ['peer']);
  const sent = counter('peer_sent_bytes_total', 'Bytes of the requests to a peer.', ['peer']);
  const failures = counter('work_failures_total', 'Work of this instance that failed; it is done again by itself.', ['work', 'error']);

  return (event) => {
    switch (event.kind) {
      case 'wallet-ready':
        ready.observe({ from_pool: event.fromPool ? 'yes' : 'no' }, event.waitedMs / 1_000);
        given.inc({ source: bounded('source', event.source) });
        return;
      case 'transaction-recorded':
        recorded.inc({ kind: bounded('does', event.does) });
        members.observe({ kind: bounded('does', event.does) }, event.members);
        return;
      case 'transaction-ended':
        ended.inc({ kind: bounded('does', event.does), end: bounded('end', event.end), error: event.error === null ? 'none' : bounded('error', event.error) });
        if (event.end === 'sealed') seal.observe({ kind: bounded('does', event.does) }, event.durationMs / 1_000);
        return;
      case 'script-done':
        addresses.observe(event.addresses);
        return;
      case 'stage-done':
        stages.observe({ stage: bounded('stage', event.stage) }, event.durationMs / 1_000);
        return;
      case 'sweep-done':
        sweeps.observe(event.durationMs / 1_000);
        return;
      case 'signal-heard':
        signals.inc({ source: bounded('source', event.source), signal: bounded('signal', event.signal) });
        return;
      case 'source-reconnected':
        reconnects.inc({ source: bounded('source', event.source) });
        return;
      case 'limiter-waited':
        waited.observe({ call: bounded('call', event.call) }, event.waitedMs / 1_000);
        return;
      case 'call-done': {
        const peer = event.peer === 'supabase' ? 'supabase' : 'access_node';
        calls.inc({ peer, call: bounded('call', event.call), answered: event.isAnswered ? 'yes' : 'no' });
        received.inc({ peer }, event.receivedBytes);
        sent.inc({ peer }, event.sentBytes);
        if (event.call === 'script') script.observe(event.durationMs / 1_000);
        return;
      }
      case 'work-failed':
        failures.inc({ work: bounded('work', event.work), error: bounded('error', event.error) });
        return;
    }
  };
}
