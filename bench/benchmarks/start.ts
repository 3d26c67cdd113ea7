import { performance } from 'node:perf_hooks';
import { startDaemon } from '../../dev/daemon.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { quantileOf, summarise } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const LIMIT_MS = 1_500;

export const start: Benchmark = {
  name: 'start',
  title: 'Start',
  measures: 'From the start of the process to the first source that has proved that it hears.',
  async run(context) {
    const starts = context.isQuick ? 2 : 15;
    const { stack } = await openWorld(context);
    const times: number[] = [];
    for (let made = 0; made < starts; made += 1) {
      context.say('starting daemons', made / starts);
      const began = performance.now();
      const daemon = startDaemon({ ...stack.env(), SYNC_INTERVAL: '86400' });
      await daemon.logged((line) => line['step'] === 'listening');
      times.push(performance.now() - began);
      // A stop in the middle of the first sweep would be measured by nobody.
      await daemon.logged((line) => line.msg === 'sweep done');
      await daemon.stop();
    }
    const { median, highest } = summarise(times);
    return {
      figures: [promised('process start → first LISTEN, median', median, 'ms', `≤ ${LIMIT_MS} ms`, median <= LIMIT_MS), shown('p90', quantileOf(times, 0.9), 'ms'), shown('slowest', highest, 'ms')],
      series: [{ contender: 'this', unit: 'ms', samples: times }],
      remarks: [`${starts} starts one after another, on one stack that works on the same cores.`],
    };
  },
};
