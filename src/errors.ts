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
 * - `files`: the file system refused (space, permissions, a place that is none).
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
  | 'files'
  | 'internal';

export interface AppErrorDetails {
  /** Where it happened: a peer, a file, a setting. Never a secret. */
  readonly where?: string;
  /** What the operator can do about it. */
  readonly mend?: string;
  readonly cause?: unknown;
  /** The peer was reached and did not answer in time: it may have been asked too much. */
  readonly isTimeout?: boolean;
  /** Set by rate limits: how long the peer asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The chain's own code (flow-go, fvm/errors/codes.go), where it gave one. */
  readonly chainCode?: number;
}

/**
 * A text of anybody's (a contract's panic, a peer's refusal) as it may be shown and stored: Postgres takes neither NUL nor half a surrogate pair, and a record of
 * an error that it refuses would never be written; a terminal obeys control characters.
 */
export function showable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}|\p{Cs}/gu, '\ufffd');
}

/** The one error that crosses module borders: what is wrong, where, and what mends it. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly kind: ErrorKind;
  readonly where: string | undefined;
  readonly mend: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly chainCode: number | undefined;
  readonly isTimeout: boolean;

  constructor(kind: ErrorKind, message: string, details: AppErrorDetails = {}) {
    super(showable(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.where = details.where === undefined ? undefined : showable(details.where);
    this.mend = details.mend === undefined ? undefined : showable(details.mend);
    this.retryAfterMs = details.retryAfterMs;
    this.chainCode = details.chainCode;
    this.isTimeout = details.isTimeout ?? false;
  }

  /** What is wrong, where, and what mends it, for a person; a line each. */
  explain(): string {
    const lines = [this.where === undefined ? this.message : `${this.where}: ${this.message}`];
    if (this.mend !== undefined) lines.push(`  mend: ${this.mend}`);
    return lines.join('\n');
  }
}

/** Whatever was thrown, as an AppError: the file system's errors become `files`, whatever else is not one already `internal`. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error && isFileError(thrown)) {
    return new AppError('files', thrown.message, { ...(thrown.path === undefined ? {} : { where: thrown.path }), mend: FILE_MENDS[thrown.code] ?? '', cause: thrown });
  }
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

/** What mends each refusal of the file system. */
const FILE_MENDS: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on the disk (df -h, df -i); it is tried again by itself',
  EDQUOT: 'free space or raise the quota of the user the daemon runs as; it is tried again by itself',
  EACCES: 'let the user the daemon runs as write there (chown, chmod); it is tried again by itself',
  EPERM: 'let the user the daemon runs as write there (chown, chmod, chattr); it is tried again by itself',
  EROFS: 'mount the file system for writing, or choose a place on another one',
  EIO: 'look at the disk: it does not read or write (dmesg)',
  ENOENT: 'make what is missing, or name a place that is there',
  ENOTDIR: 'remove what stands where a folder is expected, or choose another place',
  EISDIR: 'remove the folder that stands where a file is expected, or choose another place',
  EEXIST: 'remove what stands there, or choose another place',
  ENOTEMPTY: 'remove what stands there, or choose another place',
  ELOOP: 'remove the link: links are not followed there',
  EMFILE: 'let the process open more files (ulimit -n)',
  ENFILE: 'let the system open more files (fs.file-max)',
  EFBIG: 'let the process write larger files (ulimit -f), or choose another file system',
  ENAMETOOLONG: 'choose a place with a shorter name',
  EXDEV: 'keep the folder on one file system',
  EBUSY: 'end what uses the file',
  ESTALE: 'mount the network file system anew',
};

/** Sockets and processes have some of these codes too: EACCES of a port, ENOENT of a program. */
const FILE_CALLS: ReadonlySet<unknown> = new Set(['open', 'read', 'write', 'writev', 'close', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'mkdir', 'rmdir', 'rm', 'unlink', 'link', 'symlink', 'readlink', 'stat', 'lstat', 'fstat', 'access', 'chmod', 'fchmod', 'scandir', 'opendir', 'copyfile', 'utime', 'realpath']);

function isFileError(error: Error & { code?: unknown; syscall?: unknown; path?: unknown }): error is Error & { code: string; path?: string } {
  return typeof error.code === 'string' && Object.hasOwn(FILE_MENDS, error.code) && FILE_CALLS.has(error.syscall) && (error.path === undefined || typeof error.path === 'string');
}
