// What the process and its database use, now and over the time that the trends show.
import { byId, figures, setText } from '../dom.js';
import { bytes, count, duration, milliseconds, percent } from '../format.js';
import { toColumns } from '../series.js';
import { createSpark } from '../spark.js';

/** @typedef {import('../types.d.ts').Resources} Resources */
/** @typedef {import('../types.d.ts').History} History */

/** @returns {{ history: (history: History) => void, now: (resources: Resources) => void }} */
export function createResources() {
  const root = byId('resource-sparks');
  const memory = createSpark(root, { name: 'memory of all instances', color: '--series-1', format: bytes });
  const cpu = createSpark(root, { name: 'processor time, of one core', color: '--series-3', format: percent });
  const lag = createSpark(root, { name: 'worst event loop lag', color: '--series-2', format: milliseconds });
  const connections = createSpark(root, { name: 'database connections', color: '--series-4', format: count });
  /** @type {History} */
  let past = { step_s: 60, samples: [] };
  /** @type {Resources | null} */
  let present = null;

  const draw = () => {
    const { times, column } = toColumns(past);
    // The past is of all instances, the present of this one: it stands in only where nothing is recorded yet.
    const now = times.length === 0 ? present : null;
    memory.set(times, column('rss_bytes'), now?.process.rss_bytes);
    cpu.set(times, column('cpu_ratio'), now?.process.cpu_ratio);
    lag.set(times, column('event_loop_lag_ms'), now?.process.event_loop_lag_ms);
    connections.set(times, column('db_connections'), now?.database.connections);
  };

  return {
    history(history) {
      past = history;
      draw();
    },
    now(resources) {
      present = resources;
      const { process, database } = resources;
      setText(byId('resources-note'), `this process runs for ${duration(process.uptime_s)}`);
      byId('resources-body').replaceChildren(
        figures([
          ['memory of this process', bytes(process.rss_bytes), `heap ${bytes(process.heap_bytes)}`],
          ['its processor time', percent(process.cpu_ratio)],
          ['its event loop lag', milliseconds(process.event_loop_lag_ms)],
          ['database connections', count(database.connections)],
          ['database size', bytes(database.size_bytes)],
          ['connections of the pool', `${count(database.pool_total - database.pool_idle)} busy of ${count(database.pool_total)}`],
          ['queries waiting for one', count(database.pool_waiting)],
        ]),
      );
      draw();
    },
  };
}
