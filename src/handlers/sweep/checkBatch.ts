import { toAppError, type AppError } from '../../errors.js';
import { checkWallets, type CheckedWallet, type WalletToCheck } from '../../flow/checkWallets.js';
import type { Instance } from '../instance.js';
import { SWEEP_PRIORITY } from '../priority.js';
import { persevere, type Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';

/** A wallet as one script found it. */
export type Check =
  | { readonly kind: 'checked'; readonly height: number; readonly wallet: CheckedWallet }
  /** It makes a script fail that looks at it alone. */
  | { readonly kind: 'alone'; readonly error: AppError };

export interface CheckOptions {
  readonly size: ScriptSize;
  readonly signal: AbortSignal;
  readonly patience: Patience;
  /** Called before each call to the node. */
  readonly onCall: () => void;
}

/** A node that did not answer in time twice is asked about half as many; a few it must manage, or it is away. */
const TIMEOUTS = 2;
const FEW = 100;

/**
 * Looks at wallets with one script. Where that is too large or too slow, or one of them makes it fail, it is halved, until the one stands alone;
 * all others get their answer. Throws what no wallet can cause. Answers are in the order of the question.
 */
export async function checkBatch(instance: Pick<Instance, 'node' | 'cadence' | 'telemetry'>, wallets: readonly WalletToCheck[], options: CheckOptions): Promise<Check[]> {
  const { size, signal, patience, onCall } = options;
  const look = (some: readonly WalletToCheck[]) =>
    persevere(
      patience,
      signal,
      async () => {
        onCall();
        const askedAt = performance.now();
        const checked = await checkWallets({ accessNode: instance.node, cadence: instance.cadence, wallets: some, priority: SWEEP_PRIORITY });
        instance.telemetry.emit({ kind: 'script-done', addresses: some.length, durationMs: performance.now() - askedAt });
        return checked;
      },
      (error, attempt) => error.isTimeout && attempt >= TIMEOUTS && some.length > FEW,
    );
  if (wallets.length === 0) return [];
  try {
    const { height, wallets: found } = await look(wallets);
    size.notePassed(wallets.length);
    return found.map((wallet) => ({ kind: 'checked', height, wallet }));
  } catch (thrown) {
    const error = toAppError(thrown);
    const isTooSlow = error.isTimeout && wallets.length > FEW;
    if (error.kind !== 'chain-state' && error.kind !== 'computation' && !isTooSlow) throw error;
    if (wallets.length === 1) {
      // A script that fails for nobody's sake, as where the token's contract is gone, is no wallet's fault.
      await look([]);
      return [{ kind: 'alone', error }];
    }
    if (error.kind !== 'chain-state') size.noteTooLarge(wallets.length);
    const half = Math.ceil(wallets.length / 2);
    return [...(await checkBatch(instance, wallets.slice(0, half), options)), ...(await checkBatch(instance, wallets.slice(half), options))];
  }
}
