import { INSERT_ONLY, measureSignUps, OURS_AGAIN, startMigrated, timeSignUps } from '../../dev/signUpCost.js';
import { promised, shown, type BenchContext, type Benchmark } from '../frame/benchmark.js';
import { alternate } from '../frame/rounds.js';
import { median } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const CONNECTIONS = 8;
const OF_INSERT_ONLY = 0.85;

/** Sign-ups a second beside a daemon that makes and gives their accounts meanwhile, and with a trigger that only inserts, no daemon. */
async function measureWorking(context: BenchContext, rounds: number, signUps: number): Promise<Record<'working' | 'insertOnly', number[]>> {
  const world = await openWorld(context);
  const { authPool, postgres } = world.stack;
  const time = async (): Promise<number[]> => [(await timeSignUps(authPool, { signUps, connections: CONNECTIONS })).perSecond];
  const measured = await alternate(
    rounds,
    {
      working: async () => {
        const daemon = await world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off' });
        const perSecond = await time();
        await daemon.stop();
        return perSecond;
      },
      insertOnly: async () => {
        await postgres.query('supabase_admin', INSERT_ONLY);
        const perSecond = await time();
        await postgres.query('supabase_admin', OURS_AGAIN);
        return perSecond;
      },
    },
    (name, round) => context.say(name === 'working' ? 'daemon at work' : 'insert only', round / rounds),
  );
  return { working: measured.working.flat(), insertOnly: measured.insertOnly.flat() };
}

const isOurs = (way: string): boolean => way !== 'no trigger' && way !== 'insert only';

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
    const atWork = await measureWorking(context, context.isQuick ? 1 : 5, signUps);
    const rate = (way: keyof typeof costs): number => median(costs[way].perSecond);
    const ratio = rate('daemon, awake') / rate('insert only');
    return {
      figures: [
        promised('ours, daemon awake, of a trigger that only inserts the row', ratio, '×', `≥ ${OF_INSERT_ONLY}`, ratio >= OF_INSERT_ONLY, 'higher'),
        shown('ours, daemon rung each time, of the same', rate('daemon, ringing') / rate('insert only'), '×', 'higher'),
        shown('no trigger, of the same', rate('no trigger') / rate('insert only'), '×'),
        shown('ours, daemon at work on the same cores, of the same', median(atWork.working.map((value, i) => value / (atWork.insertOnly[i] ?? Number.NaN))), '×', 'higher'),
      ],
      series: [
        ...Object.entries(costs).map(([way, cost]) => ({ contender: isOurs(way) ? `this, ${way}` : way, unit: 'sign-ups/s', samples: cost.perSecond })),
        { contender: 'this, daemon at work', unit: 'sign-ups/s', samples: atWork.working },
      ],
      remarks: [
        `${rounds} rounds of ${signUps} sign-ups a way, the ways in an order drawn anew for each round. The server's statements are measured there, without a daemon's own work: an awake daemon is a row that says so, as a running one writes it.`,
        'At work: an instance makes and gives the accounts of the same sign-ups meanwhile, with the emulator on the same two cores; against the insert-only trigger in rounds beside it.',
      ],
    };
  },
};
