// Numbers, durations and times for people. English throughout, as the page's words are; times in the reader's zone, 24 hours.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const decimals = new Intl.NumberFormat('en', { maximumFractionDigits: 4 });
const ratio = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const compactCount = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const hourAndMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayAndTime = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** Stands where there is no value. */
export const NONE = '–';

/** `1,204`. @param {number | null | undefined} value */
export const count = (value) => (value == null ? NONE : whole.format(value));

/** `1,204`, `1.25M`: exact as long as it is short. @param {number | null | undefined} value */
export const compact = (value) => (value == null ? NONE : Math.abs(value) < 100_000 ? whole.format(value) : compactCount.format(value));

/** `3 users`, `1 user`. @param {number} value @param {string} noun */
export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `12.34 FLOW`. @param {string | null | undefined} decimal */
export const flow = (decimal) => (decimal == null ? NONE : `${decimals.format(Number(decimal))} FLOW`);

/** `37.5%`. @param {number | null | undefined} value */
export const percent = (value) => (value == null ? NONE : ratio.format(value));

/** `420 ms`, `2.14 s`, `3 min`. @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (ms == null) return NONE;
  if (ms < 999.5) return `${short.format(ms < 100 ? ms : Math.round(ms))} ms`;
  return ms < 59_950 ? `${short.format(ms / 1_000)} s` : duration(ms / 1_000);
}

/** `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds == null) return NONE;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(s / 3_600);
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** @param {number} large @param {string} unit @param {number} small @param {string} smallUnit */
const two = (large, unit, small, smallUnit) => `${count(large)} ${unit}${small === 0 ? '' : ` ${small} ${smallUnit}`}`;

/** `176 MiB`. @param {number | null | undefined} value */
export function bytes(value) {
  if (value == null) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return `${short.format(value / 1_024 ** power)} ${units[power]}`;
}

/** `03:12:05`. @param {Date | string | number} at */
export const clock = (at) => timeOfDay.format(new Date(at));

/** `03:12`. @param {Date | string | number} at */
export const clockMinute = (at) => hourAndMinute.format(new Date(at));

/** `27 Nov, 03:12`. @param {Date | string | number} at */
export const dayTime = (at) => dayAndTime.format(new Date(at));

/** Whether it has the form of a user's id. @param {string} text */
export const isUuid = (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text.trim());

/** The first part of a user's id: enough to find it by. @param {string} id */
export const shortId = (id) => id.slice(0, 8);
