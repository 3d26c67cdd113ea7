import { performance } from 'node:perf_hooks';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { alternate } from '../frame/rounds.js';
import { signUpAtOnce } from '../frame/signUpAtOnce.js';
import { processTicks, TICK_MS } from '../frame/processTime.js';
import { median } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const USERS = 1_000;
const ROUNDS = 3;
/** So many for each instance, so that each has loaded and compiled what it needs, and each slot was used. */
const WARM_UP = 250;
/** What rounds of the same contender differ by on shared cores. */
const NOISE = 0.1;

export const instances: Benchmark = {
  name: 'instances',
  title: 'Instances',
  measures: 'The same burst with one, two and three instances on one database, in accounts a second.',
  async run(context) {
    const users = context.isQuick ? 60 : USERS;
    const rounds = context.isQuick ? 1 : ROUNDS;
    const world = await openWorld(context);
    /** Processor time of all instances of a round, in seconds. */
    const worked = new Map<number, number[]>();
    const burstWith = (count: number) => async (): Promise<readonly number[]> => {
      const daemons = await world.daemons(count, { POOL_SIZE: '0', CONFIG_EXPORT: 'off', REALTIME: 'off', RATE_LIMIT_SCOPE: 'shared' });
      await world.ready(await signUpAtOnce(world.stack, WARM_UP * count), 60_000);
      const ticks = (): Promise<number> => Promise.all(daemons.map((daemon) => processTicks(daemon.pid))).then((each) => each.reduce((sum, one) => sum + one));
      const ticksBefore = await ticks();
      const began = performance.now();
      const signUps = await signUpAtOnce(world.stack, users);
      await world.ready(signUps, 600_000);
      const perSecond = (users / (performance.now() - began)) * 1_000;
      worked.set(count, [...(worked.get(count) ?? []), ((await ticks()) - ticksBefore) * TICK_MS / 1_000]);
      // Throws where anybody has two accounts.
      await world.verify();
      await Promise.all(daemons.map((daemon) => daemon.stop()));
      return [perSecond];
    };
    const measured = await alternate(rounds, { one: burstWith(1), two: burstWith(2), three: burstWith(3) }, (name, round) => context.say(name, round / rounds));
    const [one, two, three] = [measured.one.flat(), measured.two.flat(), measured.three.flat()];
    const ratio = (of: readonly number[]): number => median(of.map((value, i) => value / (one[i] ?? Number.NaN)));
    return {
      figures: [
        promised('two instances, of one', ratio(two), '×', `≥ ${1 - NOISE} (never slower, within the noise of rounds)`, ratio(two) >= 1 - NOISE, 'higher'),
        promised('three instances, of one', ratio(three), '×', `≥ ${1 - NOISE}`, ratio(three) >= 1 - NOISE, 'higher'),
        promised('duplicates', 0, 'accounts', '0', true),
        shown(`${users.toLocaleString('en-US')} users, one instance`, users / median(one), 's'),
        ...[...worked].map(([count, seconds]) => shown(`processor time of ${count === 1 ? 'the one' : `all ${count}`}`, median(seconds), 's')),
      ],
      series: [
        { contender: 'this, 1 instance', unit: 'accounts/s', samples: one },
        { contender: 'this, 2 instances', unit: 'accounts/s', samples: two },
        { contender: 'this, 3 instances', unit: 'accounts/s', samples: three },
      ],
      remarks: [
        `All instances share one rate limit (RATE_LIMIT_SCOPE=shared), nine slots, and the cores that emulator and database work on; REALTIME=off, as in the burst. Before each round ${WARM_UP} users an instance have signed up. The chain was audited after each round; a duplicate ends the benchmark.`,
        'Processor time is that of the instances together, from the first sign-up until all are ready. What several take more than one, they take from the two cores that the emulator works on.',
      ],
    };
  },
};
