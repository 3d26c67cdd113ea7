// What the HTTP API answers, as far as the page reads it. Times are ISO 8601, ages seconds, FLOW decimal text.

export interface Peer {
  readonly state: string;
  readonly reason: string | null;
}

export interface LivingInstance {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly sources: Readonly<Record<string, Peer>>;
  readonly access_node: Peer | null;
  readonly last_error: { readonly kind: string; readonly message: string; readonly at: string } | null;
}

export interface Status {
  readonly wallets: number;
  readonly ready: number;
  readonly waiting: number;
  readonly corrupted: number;
  readonly orphaned: number;
  readonly apart: number;
  readonly oldest_waiting_s: number | null;
  readonly live_transactions: number;
  readonly oldest_transaction_s: number | null;
  readonly slots: number;
  readonly slots_free: number;
  readonly paused: boolean;
  readonly pool_hits: number;
  readonly accounts: Readonly<Record<string, number>>;
  readonly delivered_by: Readonly<Record<string, number>>;
  readonly slots_out: readonly { readonly slot: string; readonly reason: string }[];
  readonly instances: readonly LivingInstance[];
  readonly limits?: readonly { readonly limit: string; readonly most: string | number | null; readonly used: string | number; readonly window_s: number; readonly reached: boolean; readonly room_in_s: number | null }[];
}

export interface Service {
  readonly instance: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly network: string;
  readonly started_at: string;
  readonly now: string;
  readonly paused: boolean;
}

export interface StatusBody {
  readonly service: Service;
  readonly status: Status;
}

export interface Slot {
  readonly key_index: number;
  readonly state: string;
  readonly transaction: { readonly id: string; readonly kind: string; readonly age_s: number } | null;
  readonly out_of_rotation: string | null;
}

export interface Funder {
  readonly name: string;
  readonly address: string;
  readonly balance: string | null;
  readonly low_water?: string | null;
  readonly low: boolean | null;
  readonly days_left: number | null;
  readonly chain_error?: string | null;
  readonly slots: readonly Slot[];
}

export interface ErrorKind {
  /** What failed: an account, a wallet, a user, a transaction or an instance. */
  readonly what?: string;
  readonly kind: string;
  readonly count: number;
  readonly last_at: string | null;
  readonly message: string | null;
  readonly mend: string | null;
}

export type CounterName =
  | 'total_wallets'
  | 'synced_wallets'
  | 'corrupted_wallets'
  | 'wallets_created'
  | 'vaults_created'
  | 'vaults_already_exist'
  | 'flow_balance_checks'
  | 'flow_funding_needed'
  | 'flow_funding_success'
  | 'flow_funding_errors';

export interface Cycle extends Readonly<Record<CounterName, number>> {
  readonly id: number;
  readonly reason: string;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly flow_spent: string;
}

export interface HistorySample {
  readonly at: string;
  readonly sign_ups: number | null;
  readonly ready: number | null;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly waiting: number | null;
  readonly free: number | null;
  readonly rss_bytes: number | null;
  readonly cpu_ratio: number | null;
  readonly event_loop_lag_ms: number | null;
  readonly db_connections: number | null;
}

export interface History {
  readonly step_s: number;
  readonly samples: readonly HistorySample[];
}

export interface Resources {
  readonly process: { readonly rss_bytes: number; readonly heap_bytes: number; readonly cpu_ratio: number; readonly event_loop_lag_ms: number; readonly uptime_s: number };
  readonly database: { readonly connections: number | null; readonly size_bytes: number | null; readonly pool_total: number; readonly pool_idle: number; readonly pool_waiting: number };
}

export interface SignUpEvent {
  readonly auth_id: string;
  readonly at: string;
}

export interface ReadyEvent {
  readonly auth_id: string;
  readonly address: string;
  readonly at: string;
  /** Null where the wallet's row is gone. */
  readonly waited_ms: number | null;
  readonly source: string | null;
  readonly from_pool: boolean;
}

/** A line of the feed. */
export interface FeedRow {
  readonly authId: string;
  /** When the user signed up, in milliseconds since 1970 by the database's clock. */
  readonly signedUpAt: number;
  readonly ready: { readonly address: string; readonly waitedMs: number | null; readonly source: string | null; readonly fromPool: boolean } | null;
}

/** Something that needs a person. */
export interface Trouble {
  /** `bad`: users get no wallets, or soon won't. `warn`: needs a look, not now. */
  readonly level: 'bad' | 'warn';
  readonly text: string;
  readonly mend: string;
}

export interface Verdict {
  readonly level: 'good' | 'busy' | 'paused' | 'warn' | 'bad';
  readonly headline: string;
  readonly troubles: readonly Trouble[];
}
