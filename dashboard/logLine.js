// One line of the log: NDJSON in, what is shown out. No DOM here.

/** @typedef {{ at: string, level: string, msg: string, rest: string, search: string }} LogLine */

/** @type {Readonly<Record<string, string>>} */
const LEVELS = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
/** A stack or a long list must not fill the page. */
const LONGEST = 600;

/**
 * Reads a line; one that is no JSON is shown as it is.
 * @param {string} text
 * @returns {LogLine}
 */
export function parseLogLine(text) {
  const line = parse(text);
  if (line === null) return { at: '', level: 'info', msg: text, rest: '', search: text.toLowerCase() };
  const { time, level, msg, ...more } = line;
  const rest = Object.entries(more)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  return {
    at: toIso(time),
    level: LEVELS[`${level}`] ?? `${level ?? 'info'}`,
    msg: `${msg ?? ''}`,
    rest: rest.length > LONGEST ? `${rest.slice(0, LONGEST)} …` : rest,
    search: `${msg} ${rest}`.toLowerCase(),
  };
}

/** @param {unknown} time */
function toIso(time) {
  const at = new Date(typeof time === 'string' || typeof time === 'number' ? time : NaN);
  return Number.isNaN(at.getTime()) ? '' : at.toISOString();
}

/** @param {string} text @returns {Record<string, unknown> | null} */
function parse(text) {
  try {
    const value = /** @type {unknown} */ (JSON.parse(text));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? /** @type {Record<string, unknown>} */ (value) : null;
  } catch {
    return null;
  }
}

/** The address of the log's stream. @param {{ level: string, user: string }} filter */
export function logUrl({ level, user }) {
  const query = new URLSearchParams({ level, limit: '500', ...(user === '' ? {} : { user }) });
  return `/api/logs?${query}`;
}
