// The newest sweeps: the ten counters as a table, and each of them over time.
import { byId, h, setText, time } from '../dom.js';
import { compact, count, dayTime, duration, flow } from '../format.js';
import { createSpark } from '../spark.js';

/** @typedef {import('../types.d.ts').Cycle} Cycle */
/** @typedef {import('../types.d.ts').CounterName} CounterName */

const KEPT = 50;

/** @type {readonly CounterName[]} */
const COUNTERS = ['total_wallets', 'synced_wallets', 'corrupted_wallets', 'wallets_created', 'vaults_created', 'vaults_already_exist', 'flow_balance_checks', 'flow_funding_needed', 'flow_funding_success', 'flow_funding_errors'];
/** Where anything but zero is a fault. @type {ReadonlySet<string>} */
const FAULTS = new Set(['corrupted_wallets', 'flow_funding_errors']);

/** @returns {{ all: (cycles: readonly Cycle[]) => void, one: (cycle: Cycle) => void }} */
export function createSweeps() {
  /** @type {Map<number, Cycle>} */
  const cycles = new Map();
  const sparks = COUNTERS.map((name) => ({ name, spark: createSpark(byId('counters'), { name, color: FAULTS.has(name) ? '--bad' : '--series-1', format: compact }) }));
  byId('sweeps-head').append(...['sweep', 'began', 'took', 'reason', ...COUNTERS, 'flow_spent'].map((name, i) => h('th', { scope: 'col', class: i > 3 ? 'number' : null }, name.replaceAll('_', ' '))));

  const draw = () => {
    const newestFirst = [...cycles.values()].sort((a, b) => b.id - a.id).slice(0, KEPT);
    for (const id of cycles.keys()) if (!newestFirst.some((cycle) => cycle.id === id)) cycles.delete(id);
    byId('sweeps-rows').replaceChildren(...newestFirst.map(toRow));
    setText(byId('sweeps-note'), noteOf(newestFirst[0]));
    const ended = newestFirst.filter((cycle) => cycle.ended_at !== null).reverse();
    for (const { name, spark } of sparks) spark.set(ended.map((cycle) => Date.parse(cycle.started_at) / 1_000), ended.map((cycle) => cycle[name]));
  };

  return {
    all(next) {
      for (const cycle of next) cycles.set(cycle.id, cycle);
      draw();
    },
    one(cycle) {
      cycles.set(cycle.id, cycle);
      draw();
    },
  };
}

/** @param {Cycle | undefined} newest */
function noteOf(newest) {
  if (newest === undefined) return 'none yet';
  return newest.ended_at === null ? `sweep ${newest.id} is under way: ${count(newest.total_wallets)} users so far` : `the newest ended ${dayTime(newest.ended_at)}`;
}

/** @param {Cycle} cycle */
function toRow(cycle) {
  const took = cycle.ended_at === null ? 'under way' : duration((Date.parse(cycle.ended_at) - Date.parse(cycle.started_at)) / 1_000);
  return h(
    'tr',
    { 'data-state': cycle.ended_at === null ? 'waiting' : null },
    h('th', { scope: 'row' }, `${cycle.id}`),
    h('td', {}, time(cycle.started_at, dayTime)),
    h('td', {}, took),
    h('td', {}, cycle.reason),
    ...COUNTERS.map((name) => h('td', { class: 'number', 'data-fault': FAULTS.has(name) && cycle[name] > 0, 'data-empty': cycle[name] === 0 }, count(cycle[name]))),
    h('td', { class: 'number' }, flow(cycle.flow_spent)),
  );
}
