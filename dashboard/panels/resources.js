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
  const memory = createSpark(root, { name: 'memory (resident)', color: '--series-1', format: bytes });
  const cpu = createSpark(root, { name: 'processor, of one core', color: '--series-3', format: percent });
  const lag = createSpark(root, { name: 'event loop lag', color: '--series-2', format: milliseconds });
  const connections = createSpark(root, { name: 'database connections', color: '--series-4', format: count });
  /** @type {History} */
  let past = { step_s: 60, samples: [] };
  /** @type {Resources | null} */
  let present = null;

  const draw = () => {
    const { times, column } = toColumns(past);
    memory.set(times, column('rss_bytes'), present?.process.rss_bytes);
    cpu.set(times, column('cpu_ratio'), present?.process.cpu_ratio);
    lag.set(times, column('event_loop_lag_ms'), present?.process.event_loop_lag_ms);
    connections.set(times, column('db_connections'), present?.database.connections);
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
          ['heap', bytes(process.heap_bytes)],
          ['database size', bytes(database.size_bytes)],
          ['connections of the pool', `${count(database.pool_total - database.pool_idle)} busy of ${count(database.pool_total)}`],
          ['queries waiting for one', count(database.pool_waiting)],
        ]),
      );
      draw();
    },
  };
}
