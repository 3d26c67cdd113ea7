import { measureSignUps, startMigrated } from '../../dev/signUpCost.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { median } from '../frame/stats.js';

const CONNECTIONS = 8;
const OF_INSERT_ONLY = 0.85;

export const trigger: Benchmark = {
  name: 'trigger',
  title: 'Trigger',
  measures: 'Sign-ups a second into auth.users over 8 connections, by what a sign-up meets.',
  async run(context) {
    const rounds = context.isQuick ? 2 : 15;
    const signUps = context.isQuick ? 80 : 800;
    context.say('sign-ups');
    const postgres = await startMigrated();
    context.onEnd(() => postgres.stop());
    const costs = await measureSignUps(postgres, { rounds, signUps, connections: CONNECTIONS });
    const rate = (way: keyof typeof costs): number => median(costs[way].perSecond);
    const ratio = rate('daemon, awake') / rate('insert only');
    return {
      figures: [
        promised('ours, daemon awake, of a trigger that only inserts the row', ratio, '×', `≥ ${OF_INSERT_ONLY}`, ratio >= OF_INSERT_ONLY, 'higher'),
        shown('ours, daemon rung each time, of the same', rate('daemon, ringing') / rate('insert only'), '×', 'higher'),
        shown('no trigger, of the same', rate('no trigger') / rate('insert only'), '×'),
      ],
      series: Object.entries(costs).map(([contender, cost]) => ({ contender, unit: 'sign-ups/s', samples: cost.perSecond })),
      remarks: [`${rounds} rounds of ${signUps} sign-ups a way, the ways in an order drawn anew for each round.`],
    };
  },
};
