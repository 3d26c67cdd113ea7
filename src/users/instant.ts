import { AppError } from '../errors.js';

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/**
 * A time of the Auth server (RFC 3339) in whole microseconds since 1970, as Postgres keeps it. The texts themselves don't compare: Go leaves out
 * trailing zeros ("…28.88Z"). Throws an AppError of kind `data` for any other text.
 */
export function parseInstant(text: string): number {
  const [, seconds, fraction = '', zone] = RFC3339.exec(text) ?? [];
  const ms = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(ms)) throw new AppError('data', `not a time: ${text.slice(0, 40)}`, { where: 'Auth server' });
  return ms * 1_000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
