import { hostname } from 'node:os';
import { isPaused } from '../journal/control.js';
import { readStatus, type StatusReport } from '../journal/report.js';
import { packageVersion } from '../packagePath.js';
import type { HttpDeps } from './deps.js';
import { createSharedRead, type SharedRead } from '../sharedRead.js';

export interface ServiceStatus {
  readonly service: {
    readonly instance: string;
    readonly host: string;
    readonly pid: number;
    readonly version: string;
    readonly network: string;
    readonly started_at: string;
    readonly now: string;
    readonly paused: boolean;
  };
  readonly status: StatusReport;
}

export interface ServiceReader {
  /** This process and the whole service. */
  read(): Promise<ServiceStatus>;
  /** Something was changed just now. */
  forget(): void;
}

/** The status of a million users takes half a second to count; whether it is paused is one row, and always new. */
export function createServiceReader({ instance, journal }: HttpDeps): ServiceReader {
  const version = packageVersion();
  const startedAt = new Date(Date.now() - process.uptime() * 1_000).toISOString();
  const status: SharedRead<StatusReport> = createSharedRead(() => readStatus(journal), 500);
  const paused = createSharedRead(() => isPaused(journal), 200);
  return {
    async read() {
      const [report, isPausedNow] = await Promise.all([status.read(), paused.read()]);
      return {
        service: {
          instance: instance.id,
          host: hostname(),
          pid: process.pid,
          version,
          network: instance.network.name,
          started_at: startedAt,
          now: new Date(instance.now()).toISOString(),
          paused: isPausedNow,
        },
        status: { ...report, paused: isPausedNow },
      };
    },
    forget() {
      status.forget();
      paused.forget();
    },
  };
}
