/**
 * What went wrong, sorted by what can be done about it. The policy for each kind lives in one place (`handlers/retryPolicy.ts`);
 * a kind says only what happened.
 *
 * - `usage`: the caller or the settings are wrong; nothing was tried.
 * - `rate-limit`: a peer asked for fewer calls.
 * - `network`: a peer did not answer, or its answer did not arrive. Says nothing about whether the call took effect.
 * - `sequence`: the proposal key's sequence number was not the one signed (chain error 1007).
 * - `expired`: the reference block is too old.
 * - `computation`: the computation limit was reached (chain error 1110).
 * - `funds`: the payer cannot pay.
 * - `data`: a stored or received value breaks its contract.
 * - `chain-state`: the chain executed and refused for another reason.
 * - `internal`: anything else, a fault of this program until shown otherwise.
 */
export type ErrorKind =
  | 'usage'
  | 'rate-limit'
  | 'network'
  | 'sequence'
  | 'expired'
  | 'computation'
  | 'funds'
  | 'data'
  | 'chain-state'
  | 'internal';

export interface AppErrorDetails {
  /** Where it happened: a peer, a file, a setting. Never a secret. */
  readonly where?: string;
  /** What the operator can do about it. */
  readonly mend?: string;
  readonly cause?: unknown;
  /** Set by rate limits: how long the peer asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The chain's own code (flow-go, fvm/errors/codes.go), where it gave one. */
  readonly chainCode?: number;
}

/** The one error that crosses module borders: what is wrong, where, and what mends it. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly kind: ErrorKind;
  readonly where: string | undefined;
  readonly mend: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly chainCode: number | undefined;

  constructor(kind: ErrorKind, message: string, details: AppErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.where = details.where;
    this.mend = details.mend;
    this.retryAfterMs = details.retryAfterMs;
    this.chainCode = details.chainCode;
  }

  /** What is wrong, where, and what mends it, for a person; a line each. */
  explain(): string {
    const lines = [this.where === undefined ? this.message : `${this.where}: ${this.message}`];
    if (this.mend !== undefined) lines.push(`  mend: ${this.mend}`);
    return lines.join('\n');
  }
}

/** Whatever was thrown, as an AppError; what is not one already becomes `internal`. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error) return new AppError('internal', thrown.message, { cause: thrown });
  return new AppError('internal', describe(thrown));
}

/** A text for what is no Error. Some clients throw plain objects with a message, and not every object can be made a text. */
function describe(thrown: unknown): string {
  try {
    if (typeof thrown === 'object' && thrown !== null && 'message' in thrown && typeof thrown.message === 'string') return thrown.message;
    return String(thrown);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}
