// Wallets by state, and accounts by state with the pool.
import { byId, figures, h } from '../dom.js';
import { count, duration, percent } from '../format.js';

/** @typedef {import('../types.d.ts').Status} Status */
/** @typedef {readonly [name: string, value: number, color: string, note?: string]} Part */

/** @param {Status} status */
export function showWallets(status) {
  /** @type {Part[]} */
  const parts = [
    ['ready', status.ready, '--good'],
    ['waiting', status.waiting, '--busy', status.oldest_waiting_s === null ? '' : `the oldest for ${duration(status.oldest_waiting_s)}`],
    ['corrupted', status.corrupted, '--bad'],
    ['set apart', status.apart, '--warn'],
    ['orphaned', status.orphaned, '--muted'],
  ];
  byId('wallets-body').replaceChildren(bar(parts), list(parts));
}

/** In the order of an account's life. @type {readonly (readonly [state: string, color: string, note?: string])[]} */
const ACCOUNT_STATES = [
  ['prepared', '--series-4', 'key stored, not sent'],
  ['submitted', '--series-2', 'being made'],
  ['free', '--series-1', 'the pool'],
  ['assigned', '--good'],
  ['expired', '--muted', 'given up, still watched'],
  ['set_aside', '--warn', 'found broken while free'],
  ['failed', '--bad'],
];

/** @param {Status} status */
export function showAccounts(status) {
  const { accounts, delivered_by, pool_hits } = status;
  const known = new Set(ACCOUNT_STATES.map(([state]) => state));
  const states = [...ACCOUNT_STATES, ...Object.keys(accounts).filter((state) => !known.has(state)).map((state) => /** @type {const} */ ([state, '--muted']))];
  /** @type {Part[]} */
  const parts = states.map(([state, color, note]) => [state.replace('_', ' '), accounts[state] ?? 0, color, note ?? '']);
  const assigned = accounts['assigned'] ?? 0;
  const delivered = Object.entries(delivered_by).sort(([, a], [, b]) => b - a).map(([source, users]) => `${source} ${count(users)}`).join(', ');
  byId('accounts-body').replaceChildren(
    bar(parts),
    list(parts),
    figures([
      ['given from the pool', count(pool_hits), assigned === 0 ? '' : percent(pool_hits / assigned)],
      ['who rang', delivered || 'nobody yet'],
      ['transactions unsealed', count(status.live_transactions), status.oldest_transaction_s === null ? '' : `the oldest for ${duration(status.oldest_transaction_s)}`],
    ]),
  );
}

/** Shares of a whole. The list beside it says the same in figures. @param {readonly Part[]} parts */
function bar(parts) {
  const shown = parts.filter(([, value]) => value > 0);
  return h('div', { class: 'bar', 'aria-hidden': 'true' }, ...shown.map(([, value, color]) => {
    const part = h('span');
    part.style.flexGrow = `${value}`;
    part.style.background = `var(${color})`;
    return part;
  }));
}

/** @param {readonly Part[]} parts */
const list = (parts) =>
  h('ul', { class: 'states' }, ...parts.map(([name, value, color, note]) => {
    const mark = h('span', { class: 'swatch' });
    mark.style.background = `var(${color})`;
    return h('li', { 'data-empty': value === 0 }, mark, h('span', {}, name), note === undefined || note === '' ? null : h('small', {}, note), h('b', {}, count(value)));
  }));
