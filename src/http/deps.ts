import type { HttpBindings } from '@hono/node-server';
import type { Instance } from '../handlers/instance.js';
import type { Journal } from '../journal/pool.js';
import type { LogTail } from '../logTail.js';

/** What the routes are told of this process: nothing that opens a key. */
export type ShownInstance = Pick<Instance, 'id' | 'settings' | 'node' | 'network' | 'log' | 'statistics' | 'now'>;

export interface HttpOptions {
  readonly instance: ShownInstance;
  readonly logTail: LogTail;
  /** In Prometheus's text format. */
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly body: string }>;
  readonly readResources: () => Promise<unknown>;
  /** Why this process is not ready, for reasons that only it knows. */
  readonly readiness: () => readonly string[];
}

export interface HttpDeps extends HttpOptions {
  /** Connections of its own: whoever looks takes none from those who make wallets. */
  readonly journal: Journal;
}

/** What each route finds in its context. */
export interface RouteEnv {
  readonly Bindings: HttpBindings;
}
