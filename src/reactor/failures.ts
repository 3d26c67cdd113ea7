import { toAppError } from '../errors.js';
import type { Instance } from '../handlers/instance.js';
import { isSchemaMissing } from '../journal/sqlErrors.js';

/** What has failed, and whether it is the schema that is missing: making and sending stop until it is back. */
export interface Failures {
  /** The one place that hears of failed work. The next ring, poll or sweep looks again: state says what is still to be done. */
  report(work: string): (thrown: unknown) => void;
  isSchemaMissing(): boolean;
  schemaIsBack(): void;
}

export function createFailures({ statistics, telemetry, log }: Pick<Instance, 'statistics' | 'telemetry' | 'log'>): Failures {
  let schemaMissing = false;
  return {
    report: (work) => (thrown) => {
      const error = toAppError(thrown);
      statistics.lastError = { kind: error.kind, message: error.message, at: new Date().toISOString() };
      telemetry.emit({ kind: 'work-failed', work, error: error.kind });
      if (!isSchemaMissing(error)) return log.error({ work, kind: error.kind, where: error.where, reason: error.message, mend: error.mend }, 'work failed');
      if (schemaMissing) return;
      schemaMissing = true;
      log.error({ reason: error.message, mend: error.mend }, 'schema wallet_sync is missing: making and sending stop');
    },
    isSchemaMissing: () => schemaMissing,
    schemaIsBack() {
      schemaMissing = false;
      log.info('schema wallet_sync is back');
    },
  };
}
