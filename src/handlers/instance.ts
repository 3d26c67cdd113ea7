import type { FaultPort } from '../faultPoints.js';
import type { AccessNode } from '../flow/accessNode.js';
import type { Cadence } from '../flow/cadence.js';
import type { Network } from '../flow/network.js';
import type { Journal } from '../journal/pool.js';
import type { Log } from '../log.js';
import type { Settings } from '../settings.js';
import type { Telemetry } from '../telemetry/events.js';
import type { AuditedVault } from './auditedVault.js';
import type { Statistics } from './statistics.js';

/** What every handler of this process works with. */
export interface Instance {
  /** Names this process in every lease. */
  readonly id: string;
  readonly settings: Settings;
  readonly journal: Journal;
  readonly node: AccessNode;
  readonly network: Network;
  readonly cadence: Cadence;
  /** Opens no key before the audit log says why. */
  readonly vault: AuditedVault;
  readonly log: Log;
  readonly statistics: Statistics;
  /** Told of what happens; nothing here listens to it. */
  readonly telemetry: Telemetry;
  readonly faultPoints: FaultPort;
  /** Milliseconds since 1970, of this process. */
  readonly now: () => number;
}

/** What sending a transaction and following it to its end needs: an instance, or a command that sends one. */
export type Sender = Omit<Instance, 'settings' | 'vault'> & { readonly settings: Pick<Settings, 'TRANSACTION_EXPIRY'> };
