import { z } from 'zod';
import { AppError } from '../errors.js';
import { AUDIT_KINDS, readAudit, type AuditFilter, type AuditKind, type AuditLine } from '../journal/audit.js';
import { withJournal } from './withJournal.js';

export interface AuditOptions {
  readonly user?: string;
  readonly since?: string;
  readonly kind?: string;
  readonly limit?: string;
  readonly json: boolean;
}

/** `wallet-sync audit`: the audit log's entries that fit, oldest first, as they are read; with --json each is one line of JSON. */
export async function runAudit(options: AuditOptions): Promise<void> {
  const filter = readFilter(options, Date.now());
  const limit = readLimit(options.limit);
  await withJournal(async (journal) => {
    for await (const page of readAudit(journal, filter, limit)) {
      if (!(await write(page.map((line) => `${options.json ? JSON.stringify(line) : toText(line)}\n`).join('')))) return;
    }
  });
}

/** False where nobody reads any more, as behind `head`. Waits while the reader is slow, so that memory does not grow. */
function write(text: string): Promise<boolean> {
  return new Promise((resolve) => process.stdout.write(text, (error) => resolve(error == null)));
}

/** Throws `usage` for what cannot be meant. */
export function readFilter(options: Pick<AuditOptions, 'user' | 'since' | 'kind'>, now: number): AuditFilter {
  const { user, since, kind } = options;
  if (user !== undefined && !z.guid().safeParse(user).success) throw new AppError('usage', 'is not a user id (uuid)', { where: '--user' });
  if (kind !== undefined && !isKind(kind)) throw new AppError('usage', `there is no kind ${kind}`, { where: '--kind', mend: `one of ${AUDIT_KINDS.join(', ')}` });
  return { ...(user === undefined ? {} : { authId: user.toLowerCase() }), ...(since === undefined ? {} : { since: readSince(since, now) }), ...(kind === undefined ? {} : { kind }) };
}

const isKind = (text: string): text is AuditKind => (AUDIT_KINDS as readonly string[]).includes(text);

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function readSince(text: string, now: number): Date {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const at = count === undefined ? (/^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN) : now - Number(count) * (UNIT_MS[unit ?? ''] ?? NaN);
  if (Number.isNaN(at)) throw new AppError('usage', `${text} is neither a time nor a duration`, { where: '--since', mend: 'a time like 2026-11-27 or 2026-11-27T08:00:00Z, or a duration like 90m, 24h or 7d' });
  return new Date(at);
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new AppError('usage', 'must be a whole number above 0', { where: '--limit' });
  return Number(text);
}

/** Time, kind, what it concerns, and its detail as `name=value`. */
export function toText({ at, kind, instance, auth_id, account_id, tx_id, detail }: AuditLine): string {
  const named = { user: auth_id, account: account_id, transaction: tx_id, ...detail, instance };
  const values = Object.entries(named).flatMap(([name, value]) => (value === null || value === undefined ? [] : [`${name}=${valueOf(value)}`]));
  return `${at.slice(0, 23)}Z ${kind.padEnd(20)} ${values.join(' ')}`;
}

function valueOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w.:@/+-]*$/.test(text) ? text : JSON.stringify(value);
}
