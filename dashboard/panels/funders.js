// Funding accounts with what they have left, and their slots.
import { byId, h, setText } from '../dom.js';
import { duration, flow, plural } from '../format.js';

/** @typedef {import('../types.d.ts').Funder} Funder */
/** @typedef {import('../types.d.ts').Slot} Slot */

/** @param {readonly Funder[]} funders */
export function showFunders(funders) {
  const slots = funders.flatMap((funder) => funder.slots);
  const free = slots.filter((slot) => slot.state === 'free').length;
  setText(byId('funders-note'), `${plural(funders.length, 'funder')}, ${free} of ${plural(slots.length, 'slot')} free`);
  byId('funders-body').replaceChildren(
    ...(funders.length === 0 ? [h('p', { class: 'empty-note' }, 'flow.json has no funding account of this network.')] : funders.map(toEntry)),
  );
}

/** @param {Funder} funder */
function toEntry(funder) {
  const out = funder.slots.filter((slot) => slot.out_of_rotation !== null);
  return h(
    'article',
    { class: 'funder', 'data-low': funder.low === true },
    h('h3', {}, funder.name, ' ', h('code', {}, funder.address)),
    h('p', { class: 'funder-line' }, h('b', {}, funder.balance === null ? 'balance unknown' : flow(funder.balance)), ' ', h('span', { class: 'tag' }, remains(funder)), ' ', h('small', {}, mark(funder))),
    funder.chain_error == null ? null : h('p', { class: 'reason' }, funder.chain_error),
    h('ul', { class: 'slots', 'aria-label': `Slots of ${funder.name}` }, ...funder.slots.map(toSlot)),
    ...[...new Set(out.map((slot) => slot.out_of_rotation ?? ''))].map((reason) => h('p', { class: 'reason' }, reasonOf(out.filter((slot) => slot.out_of_rotation === reason), reason))),
  );
}

/** @param {readonly Slot[]} slots @param {string} reason */
const reasonOf = (slots, reason) => `${slots.length === 1 ? 'Key' : 'Keys'} ${slots.map((slot) => slot.key_index).join(', ')} out of rotation: ${reason}`;

/** @param {Funder} funder */
function remains({ low, days_left: days }) {
  if (low === true) return 'low: send FLOW';
  if (days === null) return 'nothing spent last week';
  return days > 999 ? 'lasts for years' : `lasts ${duration(days * 86_400)}`;
}

/** @param {Funder} funder */
const mark = ({ low_water }) => (low_water == null ? '' : `low mark ${flow(low_water)}`);

/** @type {Readonly<Record<string, string>>} */
const SLOT_WORDS = { unsealed: 'carries a transaction', 'out-of-rotation': 'out of rotation', leased: 'leased', free: 'free' };

/** @param {Slot} slot */
function toSlot({ key_index, state, transaction, out_of_rotation }) {
  const doing = transaction === null ? (out_of_rotation ?? '') : `${transaction.kind}, for ${duration(transaction.age_s)}: ${transaction.id}`;
  const words = `Key ${key_index}: ${SLOT_WORDS[state] ?? state}`;
  return h('li', { 'data-state': state, title: doing === '' ? words : `${words} (${doing})` }, h('span', { 'aria-hidden': 'true' }, `${key_index}`), h('span', { class: 'hidden' }, words));
}
