import { AppError, type AppErrorDetails, type ErrorKind } from '../errors.js';
import { tlsMendOf } from '../tlsMend.js';

interface Rule {
  readonly kind: ErrorKind;
  readonly says: string;
  readonly mend?: string;
}

/** Chain error codes (flow-go, fvm/errors/codes.go) that mean more than "the chain refused". */
const BY_CODE: Readonly<Record<number, Rule>> = {
  1003: { kind: 'expired', says: 'the reference block was too old' },
  1006: { kind: 'data', says: 'the proposal key\'s signature is not valid: the key is not the account\'s', mend: 'compare the key of flow.json with the account\'s keys on chain' },
  1007: { kind: 'sequence', says: 'the proposal key\'s sequence number was not the one signed' },
  1008: { kind: 'data', says: 'a payload signature is not valid: a stored key is not the account\'s' },
  1009: { kind: 'data', says: 'the payer\'s signature is not valid: the key is not the account\'s', mend: 'compare the key of flow.json with the account\'s keys on chain' },
  1103: { kind: 'funds', says: 'an account\'s storage needs more FLOW', mend: 'send FLOW to the account that the message names' },
  1104: { kind: 'computation', says: 'the computation limit was reached' },
  1105: { kind: 'computation', says: 'the limit of events was reached' },
  1106: { kind: 'computation', says: 'the limit of ledger interactions was reached' },
  1109: { kind: 'funds', says: 'the payer could not pay the fee', mend: 'send FLOW to the funding account' },
  1110: { kind: 'computation', says: 'the computation limit was reached' },
  1111: { kind: 'computation', says: 'the memory limit was reached' },
  1113: { kind: 'computation', says: 'the script took too long' },
  1114: { kind: 'network', says: 'the access node cancelled the script' },
  1118: { kind: 'funds', says: 'the payer has too little FLOW for the fee', mend: 'send FLOW to the funding account' },
};

/** What is recognised by its words, because it carries no code or only the general one. The first match counts. */
const BY_TEXT: readonly (readonly [RegExp, Rule])[] = [
  // FungibleToken's own words: in this program only a payer's vault is ever withdrawn from.
  [/Cannot withdraw tokens! The amount requested to be withdrawn/, { kind: 'funds', says: 'the payer has too little FLOW', mend: 'send FLOW to the funding account' }],
  [/transaction is expired/, { kind: 'expired', says: 'the reference block was too old' }],
  [/is invalid for chain/, { kind: 'data', says: 'not an address of this chain' }],
  // A node that has not seen the block yet; another, or the same one later, takes the transaction.
  [/unknown reference block/, { kind: 'network', says: 'the access node does not know the reference block' }],
  // A node that lags: another, or the same one later, has these blocks.
  [/is greater than the last sealed block height/, { kind: 'network', says: 'the access node has not reached these blocks' }],
  [/computation exceeds limit|computation limit exceeded|limit exceeded/, { kind: 'computation', says: 'the computation limit was reached' }],
];

const BY_STATUS: Readonly<Record<number, Rule>> = {
  401: { kind: 'usage', says: 'the access node refuses us', mend: 'check FLOW_ACCESS_NODE' },
  403: { kind: 'usage', says: 'the access node refuses us', mend: 'check FLOW_ACCESS_NODE' },
  // What was asked is too long for it, or for a proxy before it.
  413: { kind: 'computation', says: 'the question is too large' },
  408: { kind: 'network', says: 'the access node gave up waiting' },
  429: { kind: 'rate-limit', says: 'the access node asks for fewer calls' },
};

/** Long enough for the cause, short enough for a log line. */
const QUOTE_LENGTH = 600;

/** The chain's words without the excerpts of source code between them, cut to one readable length. */
function quote(text: string): string {
  const lines = text.split('\n');
  const telling = lines.filter((line) => /\[Error Code|^error: /.test(line));
  const quoted = (telling.length === 0 ? lines : telling).map((line) => line.trim()).join('\n');
  return quoted.length <= QUOTE_LENGTH ? quoted : `${quoted.slice(0, QUOTE_LENGTH)}…`;
}

/**
 * The code that says most. The outermost comes first; 1101 (a Cadence error) is only a wrapper where the line that names the cause
 * has a code of its own. Only that place counts: text that a contract panics with can hold any code.
 */
function findCode(text: string): number | null {
  const outer = /\[Error Code: (\d+)\]/.exec(text);
  if (outer === null) return null;
  const inner = /^error: \[Error Code: (\d+)\]/m.exec(text);
  return Number(Number(outer[1]) === 1101 && inner !== null ? inner[1] : outer[1]);
}

function findRule(text: string): Rule | null {
  const code = findCode(text);
  const byCode = code === null ? undefined : BY_CODE[code];
  return byCode ?? BY_TEXT.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

function build(rule: Rule, text: string, details: AppErrorDetails): AppError {
  return new AppError(rule.kind, text === '' ? rule.says : `${rule.says}: ${quote(text)}`, { ...(rule.mend === undefined ? {} : { mend: rule.mend }), ...details });
}

/** Why the chain did not do what a sealed transaction asked, from its error message. What no rule knows is `chain-state`. */
export function classifyChainError(text: string, where?: string): AppError {
  const rule = findRule(text) ?? { kind: 'chain-state', says: 'the chain refused' };
  const chainCode = findCode(text);
  return build(rule, text, { ...(where === undefined ? {} : { where }), ...(chainCode === null ? {} : { chainCode }) });
}

export interface HttpFailure {
  readonly status: number;
  /** The answer's body, or its message. */
  readonly text: string;
  /** The Retry-After header: seconds, or a date. */
  readonly retryAfter?: string | null;
  readonly where: string;
}

/** An access node's HTTP answer that is not 2xx. */
export function classifyHttpFailure(failure: HttpFailure): AppError {
  const { status, text, where } = failure;
  const byStatus = BY_STATUS[status];
  if (byStatus !== undefined) {
    const retryAfterMs = byStatus.kind === 'rate-limit' ? parseRetryAfter(failure.retryAfter ?? null) : undefined;
    return build(byStatus, text, { where, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  }
  const byText = findRule(text);
  if (byText !== null) return build(byText, text, { where });
  // A code without a rule: the chain ran the script and it failed.
  if (findCode(text) !== null) return build({ kind: 'chain-state', says: 'the chain refused' }, text, { where });
  if (status >= 300 && status < 400) return build({ kind: 'usage', says: `the access node answered ${status}: redirects are not followed`, mend: 'set FLOW_ACCESS_NODE to where it leads' }, '', { where });
  if (status >= 500) return build({ kind: 'network', says: `the access node answered ${status}` }, text, { where });
  return build({ kind: 'internal', says: `the access node answered ${status}` }, text, { where });
}

/** Nobody is left alone for longer because he says so: a timer of more than 24 days would fire at once. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** In milliseconds, at most an hour; undefined when absent or not understood. */
function parseRetryAfter(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms));
}

/** A call that got no answer: refused, reset, cut off or too late. Says nothing about whether it took effect. */
export function classifyThrown(thrown: unknown, where: string): AppError {
  if (thrown instanceof AppError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error.name === 'TimeoutError') return new AppError('network', 'the access node did not answer in time', { where, cause: error, isTimeout: true });
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const code = cause === undefined ? undefined : (cause as NodeJS.ErrnoException).code;
  const mend = tlsMendOf(code);
  return new AppError('network', `the access node cannot be reached: ${code ?? cause?.message ?? error.message}`, { where, cause: error, ...(mend === undefined ? {} : { mend }) });
}

/** Whether an answer to a broadcast only says that the same transaction is already there, which is as good as accepted. */
export function saysAlreadySent(text: string): boolean {
  return /has already been submitted|duplicate transaction|already exists/i.test(text);
}
