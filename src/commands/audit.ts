import { z } from 'zod';
import { AppError } from '../errors.js';
import { AUDIT_KINDS, readAudit, type AuditFilter, type AuditKind, type AuditLine } from '../journal/audit.js';
import { readSince } from './since.js';
import { withJournal } from './withJournal.js';
import { write } from './write.js';

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

/** Throws `usage` for what cannot be meant. */
export function readFilter(options: Pick<AuditOptions, 'user' | 'since' | 'kind'>, now: number): AuditFilter {
  const { user, since, kind } = options;
  if (user !== undefined && !z.guid().safeParse(user).success) throw new AppError('usage', 'is not a user id (uuid)', { where: '--user' });
  if (kind !== undefined && !isKind(kind)) throw new AppError('usage', `there is no kind ${kind}`, { where: '--kind', mend: `one of ${AUDIT_KINDS.join(', ')}` });
  return { ...(user === undefined ? {} : { authId: user.toLowerCase() }), ...(since === undefined ? {} : { since: readSince(since, now) }), ...(kind === undefined ? {} : { kind }) };
}

const isKind = (text: string): text is AuditKind => (AUDIT_KINDS as readonly string[]).includes(text);

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
