// What the page's first line says: does everybody have a wallet, and if not, what is wrong and what mends it. No DOM here.
import { count, duration, flow, plural } from './format.js';

/** @typedef {import('./types.d.ts').Status} Status */
/** @typedef {import('./types.d.ts').Funder} Funder */
/** @typedef {import('./types.d.ts').Trouble} Trouble */
/** @typedef {import('./types.d.ts').Verdict} Verdict */

/** A wallet takes seconds; who waits for longer than this waits for a person. */
const LONG_WAIT_S = 60;
/** The chain seals in about 10 s. */
const LONG_TRANSACTION_S = 120;
/** A weekend, and a working day to send FLOW. */
const FEW_DAYS = 4;

/**
 * @param {Status} status
 * @param {readonly Funder[]} funders
 * @returns {Verdict}
 */
export function judge(status, funders) {
  const troubles = [...waitingTroubles(status), ...nodeTroubles(status), ...limitTroubles(status), ...slotTroubles(status), ...funderTroubles(funders), ...walletTroubles(status)];
  troubles.sort((a, b) => rank(a) - rank(b));
  const bad = troubles.find((trouble) => trouble.level === 'bad');
  if (status.paused) return { level: 'paused', headline: `Paused: nothing is made, given or sent${status.waiting === 0 ? '' : `, and ${waiters(status.waiting)}`}`, troubles };
  if (bad !== undefined) return { level: 'bad', headline: bad.text, troubles };
  if (status.waiting > 0) return { level: troubles.length > 0 ? 'warn' : 'busy', headline: `${share(status)} have a wallet, ${count(status.waiting)} ${status.waiting === 1 ? 'waits' : 'wait'}${oldest(status)}`, troubles };
  return { level: troubles.length > 0 ? 'warn' : 'good', headline: wholeHeadline(status), troubles };
}

/** @param {Trouble} trouble */
const rank = (trouble) => (trouble.level === 'bad' ? 0 : 1);

/** @param {number} waiting */
const waiters = (waiting) => `${plural(waiting, 'user')} ${waiting === 1 ? 'waits' : 'wait'}`;

/** @param {Status} status */
const oldest = (status) => (status.oldest_waiting_s === null || status.oldest_waiting_s < 1 ? '' : `${status.waiting === 1 ? ',' : ', the oldest'} for ${duration(status.oldest_waiting_s)}`);

/** @param {Status} status */
const share = ({ ready, wallets }) => `${count(ready)} of ${plural(wallets, 'user')}`;

/** @param {Status} status */
function wholeHeadline(status) {
  if (status.wallets === 0) return 'No user has signed up yet';
  if (status.ready < status.wallets) return `${share(status)} have a wallet`;
  return status.wallets === 1 ? 'The only user has a wallet' : `All ${count(status.wallets)} users have a wallet`;
}

/** @param {Status} status @returns {Trouble[]} */
function waitingTroubles(status) {
  if (status.instances.length === 0) return [{ level: 'bad', text: 'No instance is running', mend: 'Start one: wallet-sync run. Sign-ups go on and are kept until then.' }];
  if (status.paused || status.waiting === 0 || (status.oldest_waiting_s ?? 0) < LONG_WAIT_S) return [];
  return [{ level: 'bad', text: `${waiters(status.waiting)} for a wallet${oldest(status)}`, mend: 'Look for the cause here below and in Errors; wallet-sync doctor tells which precondition fails.' }];
}

/** @param {Status} status @returns {Trouble[]} */
function nodeTroubles(status) {
  /** @type {Trouble[]} */
  const troubles = [];
  for (const instance of status.instances) {
    const at = status.instances.length === 1 ? '' : ` (seen by ${instance.host}:${instance.pid})`;
    if (instance.access_node?.state === 'down') {
      troubles.push({ level: 'bad', text: `The access node is down${at}${because(instance.access_node.reason)}`, mend: 'Nothing is lost: sending goes on when it answers. If it stays down, set FLOW_ACCESS_NODE to another and restart.' });
    }
    for (const [name, source] of Object.entries(instance.sources)) {
      if (source.state !== 'mute' && source.state !== 'down') continue;
      troubles.push({ level: 'warn', text: `The source ${name} is ${source.state}${at}${because(source.reason)}`, mend: 'The other sources and the poll still find every sign-up, some seconds later. wallet-sync doctor tells why it is not heard.' });
    }
  }
  const age = status.oldest_transaction_s ?? 0;
  if (age > LONG_TRANSACTION_S) troubles.push({ level: 'warn', text: `A transaction is unsealed for ${duration(age)}`, mend: 'It is broadcast again by itself, and its users are served by another. If many are: look at the network\'s status page.' });
  return troubles;
}

/** @param {Status} status @returns {Trouble[]} */
function limitTroubles({ limits = [] }) {
  return limits.filter(({ reached, most }) => reached && most !== null).map(({ limit, most, window_s: window, room_in_s: seconds }) => ({
    level: 'warn',
    text: `The spending limit of ${limit === 'accounts_short' ? plural(Number(most), 'account') : `${flow(String(most))} FLOW`} in ${duration(window)} is reached`,
    mend: `Nothing to do: sign-ups go on, and the work ${seconds === null ? 'when what is under way has settled' : `in ${duration(seconds)}`}.`,
  }));
}

/** @param {Status} status @returns {Trouble[]} */
function slotTroubles(status) {
  const out = status.slots_out.length;
  if (status.slots === 0) return [{ level: 'bad', text: 'There is no slot to send from', mend: 'Add a funding account to flow.json, named funder-1 or in FUNDING_ACCOUNTS, and restart.' }];
  if (out === 0) return [];
  const reason = status.slots_out[0]?.reason ?? '';
  if (out >= status.slots) return [{ level: 'bad', text: `No slot can send: all ${count(status.slots)} are out of rotation`, mend: sentence(reason) }];
  return [{ level: 'warn', text: `${count(out)} of ${plural(status.slots, 'slot')} ${out === 1 ? 'is' : 'are'} out of rotation`, mend: sentence(reason) }];
}

/** @param {readonly Funder[]} funders @returns {Trouble[]} */
function funderTroubles(funders) {
  return funders.flatMap(({ name, address, balance, low, days_left: days, chain_error }) => {
    if (chain_error != null) return [{ level: 'warn', text: `${name} cannot be looked up: ${chain_error}`, mend: 'If the access node answers otherwise: is it an account of this network? flow.json names it.' }];
    const mend = `Send FLOW to ${address}.`;
    /** @type {Trouble[]} */
    const troubles = [];
    if (low === true) troubles.push({ level: 'warn', text: `${name} has ${flow(balance)} left, below its low mark`, mend });
    else if (days !== null && days < FEW_DAYS) troubles.push({ level: 'warn', text: `The FLOW of ${name} lasts ${duration(days * 86_400)} at last week's rate`, mend });
    return troubles;
  });
}

/** @param {Status} status @returns {Trouble[]} */
function walletTroubles(status) {
  const failed = status.accounts['failed'] ?? 0;
  /** @type {(Trouble | null)[]} */
  const troubles = [
    status.corrupted === 0 ? null : { level: 'warn', text: `${plural(status.corrupted, 'wallet')} ${status.corrupted === 1 ? 'is' : 'are'} corrupted: nothing is sent to ${status.corrupted === 1 ? 'it' : 'them'}`, mend: 'wallet-sync status --corrupted tells which and why.' },
    status.apart === 0 ? null : { level: 'warn', text: `${plural(status.apart, 'wallet')} ${status.apart === 1 ? 'is' : 'are'} set apart from the sweeps`, mend: 'Each is tried again alone; Retry does it now. Errors, below, says why.' },
    failed === 0 ? null : { level: 'warn', text: `${plural(failed, 'account')} failed standing alone`, mend: 'Errors, below, says why. When that is mended: Retry.' },
  ];
  return troubles.filter((trouble) => trouble !== null);
}

/** @param {string | null} reason */
const because = (reason) => (reason === null ? '' : `: ${reason}`);

/** @param {string} text */
const sentence = (text) => (text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`);
