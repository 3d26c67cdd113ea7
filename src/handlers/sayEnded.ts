import type { ErrorKind } from '../errors.js';
import type { LiveTransaction } from '../journal/transactions.js';
import type { TransactionEnded } from '../telemetry/events.js';
import type { Sender } from './instance.js';

/** Tells who watches that this instance has recorded a transaction's end. */
export function sayEnded(instance: Pick<Sender, 'telemetry' | 'now'>, transaction: LiveTransaction, end: TransactionEnded['end'], about: { readonly members: number; readonly error?: ErrorKind }): void {
  instance.telemetry.emit({
    kind: 'transaction-ended',
    txId: transaction.id,
    does: transaction.kind,
    end,
    error: about.error ?? null,
    members: about.members,
    // Two clocks: the journal's and this process's.
    durationMs: Math.max(0, instance.now() - transaction.createdAt.getTime()),
  });
}
