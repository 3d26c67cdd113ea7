import { setTimeout as pause } from 'node:timers/promises';
import type { Daemon } from '../../dev/daemon.js';
import { readyTimes } from '../../dev/measure.js';
import { signUp, type SignUp } from '../../dev/signUp.js';
import { startAssignLoop } from '../contenders/assignLoop.js';
import { promised, shown, type BenchContext, type Benchmark, type Figure, type Series } from '../frame/benchmark.js';
import { alternate } from '../frame/rounds.js';
import { quantileOf } from '../frame/stats.js';
import { openWorld, type BenchWorld } from '../frame/world.js';

const SAMPLES = 300;
const ROUNDS = 6;
const BETWEEN_MS = 1_000;
/** The daemon may take so many times what a loop takes that does nothing else. */
const MOST_TIMES = 3;
/** Mainnet seals after about 10 s. */
const BLOCK_TIMES_MS = [1_000, 10_000] as const;

/** One sign-up a second, and the times to their wallets in milliseconds. */
async function signUpsOneBySecond(world: BenchWorld, count: number): Promise<number[]> {
  const made: SignUp[] = [];
  for (let n = 0; n < count; n += 1) {
    const [signedUp] = await Promise.all([signUp(world.stack.authPool), pause(BETWEEN_MS)]);
    made.push(signedUp);
  }
  await world.ready(made, 120_000);
  return readyTimes(world.stack.authPool, world.stack.servicePool, made);
}

async function measureAt(context: BenchContext, blockTimeMs: number): Promise<Record<'this' | 'loop', number[]>> {
  const perRound = context.isQuick ? 5 : SAMPLES / ROUNDS;
  const rounds = context.isQuick ? 1 : ROUNDS;
  const world = await openWorld(context, { blockTimeMs });
  /** The daemon, once it has made so many accounts ahead that none is made meanwhile. */
  const withFullPool = async (): Promise<Daemon> => {
    const daemon = await world.daemon({ POOL_SIZE: `${2 * perRound}`, CONFIG_EXPORT: 'off' });
    await world.poolHolds(2 * perRound);
    return daemon;
  };
  const measured = await alternate(
    rounds,
    {
      this: async () => {
        const daemon = await withFullPool();
        const times = await signUpsOneBySecond(world, perRound);
        await daemon.stop();
        return times;
      },
      loop: async () => {
        // What it gives, the daemon has made before.
        await (await withFullPool()).stop();
        const loop = await startAssignLoop(world.stack);
        const times = await signUpsOneBySecond(world, perRound);
        await loop.stop();
        return times;
      },
    },
    (name, round) => context.say(`blocks of ${blockTimeMs / 1_000} s, ${name}`, round / rounds),
  );
  await world.verify();
  return { this: measured.this.flat(), loop: measured.loop.flat() };
}

export const latencyPool: Benchmark = {
  name: 'latency-pool',
  title: 'Latency, pool',
  measures: 'From the commit of a sign-up to the commit of its wallet, by the database’s own clock, at one sign-up a second with accounts made ahead.',
  async run(context) {
    const figures: Figure[] = [];
    const series: Series[] = [];
    for (const blockTimeMs of BLOCK_TIMES_MS) {
      const at = `blocks of ${blockTimeMs / 1_000} s`;
      const { this: ours, loop } = await measureAt(context, blockTimeMs);
      for (const q of [0.5, 0.99]) {
        const ratio = quantileOf(ours, q) / quantileOf(loop, q);
        figures.push(promised(`p${q * 100}, ${at}, × the bare loop`, ratio, '×', `≤ ${MOST_TIMES} ×`, ratio <= MOST_TIMES, 'lower'), shown(`p${q * 100}, ${at}`, quantileOf(ours, q), 'ms'), shown(`p${q * 100} of the bare loop, ${at}`, quantileOf(loop, q), 'ms'));
      }
      series.push({ contender: `this, ${at}`, unit: 'ms', samples: ours }, { contender: `bare loop, ${at}`, unit: 'ms', samples: loop });
    }
    return { figures, series, remarks: ['The bare loop LISTENs and runs the one statement that gives accounts, and nothing else (`bench/contenders/assignLoop.ts`); the daemon has made the accounts before and is stopped meanwhile.', 'All accounts were verified on chain afterwards.'] };
  },
};
