import { AppError } from '../errors.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** The time that `--since` names: a time, or so long before `now`. Throws `usage` where it is neither. */
export function readSince(text: string, now: number): Date {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const at = count === undefined ? (/^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN) : now - Number(count) * (UNIT_MS[unit ?? ''] ?? NaN);
  if (Number.isNaN(at)) throw new AppError('usage', `${text} is neither a time nor a duration`, { where: '--since', mend: 'a time like 2026-11-27 or 2026-11-27T08:00:00Z, or a duration like 90m, 24h or 7d' });
  // Postgres reads no year below 0 as it is written here; nothing of ours is as old as 1970.
  return new Date(Math.max(0, at));
}
