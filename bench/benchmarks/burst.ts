import { performance } from 'node:perf_hooks';
import { parseAmount } from '../../src/flow/amount.js';
import { signUpMany } from '../../dev/signUp.js';
import { runBaseline } from '../contenders/baseline.js';
import { measureLimit } from '../contenders/limit.js';
import { promised, shown, type BenchContext, type Benchmark } from '../frame/benchmark.js';
import { openContender } from '../frame/contender.js';
import { alternate } from '../frame/rounds.js';
import { signUpAtOnce } from '../frame/signUpAtOnce.js';
import { median } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const USERS = 2_000;
const ROUNDS = 3;
/** What a daemon has done before that has run for a while: it has loaded and compiled what it needs, and used each slot. */
const WARM_UP = 250;
const BASELINE_USERS = 60;
const OF_LIMIT = 0.85;
const TIMES_BASELINE = 50;
const AMOUNT = parseAmount('0.1');
/** Of the baseline at SYNC_INTERVAL=300: half of it on average, from a sign-up to the pass that serves it. */
const POLL_WAIT_S = 150;

/** Users a second of the plain service, with one worker and with three. */
async function measureBaseline(context: BenchContext, workers: 1 | 3, users: number): Promise<number[]> {
  const { stack } = await openWorld(context);
  const contender = await openContender(context, stack);
  // As the Auth server writes them: it lists no others.
  const signUps = await signUpMany(stack.authPool, users);
  const began = performance.now();
  await runBaseline({ ...contender, users: signUps.map((signUp) => signUp.authId), folder: stack.folder, workers });
  return [(users / (performance.now() - began)) * 1_000];
}

export const burst: Benchmark = {
  name: 'burst',
  title: 'Burst',
  measures: 'So many sign-ups at once, until all of them are ready, in accounts a second.',
  async run(context) {
    const users = context.isQuick ? 100 : USERS;
    const rounds = context.isQuick ? 1 : ROUNDS;
    const baselineUsers = context.isQuick ? 3 : BASELINE_USERS;
    const world = await openWorld(context);
    const contender = await openContender(context, world.stack);
    let strangers = 0;
    const measured = await alternate(
      rounds,
      {
        this: async () => {
          const daemon = await world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off', REALTIME: 'off' });
          await world.ready(await signUpAtOnce(world.stack, WARM_UP), 60_000);
          const began = performance.now();
          const signUps = await signUpAtOnce(world.stack, users);
          await world.ready(signUps, 600_000);
          const perSecond = (users / (performance.now() - began)) * 1_000;
          await world.verify(strangers);
          await daemon.stop();
          return [perSecond];
        },
        limit: async () => {
          const { accounts, seconds } = await measureLimit({ ...contender, accounts: users, fundingAmount: AMOUNT });
          strangers += accounts;
          return [accounts / seconds];
        },
      },
      (name, round) => context.say(name, round / rounds),
    );
    context.say('baseline, one worker');
    const one = await measureBaseline(context, 1, baselineUsers);
    context.say('baseline, three workers');
    const three = await measureBaseline(context, 3, baselineUsers);
    const ours = measured.this.flat();
    const limit = measured.limit.flat();
    // Each round's ratio to the limit of the same round: what the machine did meanwhile is in both.
    const ofLimit = median(ours.map((value, i) => value / (limit[i] ?? Number.NaN)));
    const timesOne = median(ours) / median(one);
    const timesThree = median(ours) / median(three);
    return {
      figures: [
        promised('accounts a second, of the limit', ofLimit, '×', `≥ ${OF_LIMIT}`, ofLimit >= OF_LIMIT, 'higher'),
        promised('× the baseline, one worker', timesOne, '×', `≥ ${TIMES_BASELINE} ×`, timesOne >= TIMES_BASELINE, 'higher'),
        promised('× the baseline, three workers', timesThree, '×', `≥ ${TIMES_BASELINE} ×`, timesThree >= TIMES_BASELINE, 'higher'),
        shown('the limit itself, × the baseline, three workers', median(limit) / median(three), '×'),
        shown('× the baseline, three workers, its poll’s wait counted', (users / median(three) + POLL_WAIT_S) / (users / median(ours)), '×', 'higher'),
        shown(`${users.toLocaleString('en-US')} users ready, median`, users / median(ours), 's'),
        shown(`the baseline’s time for as many, three workers, extrapolated`, users / median(three), 's'),
      ],
      series: [
        { contender: 'this', unit: 'accounts/s', samples: ours },
        { contender: 'limit', unit: 'accounts/s', samples: limit },
        { contender: 'baseline, 3 workers', unit: 'accounts/s', samples: three },
        { contender: 'baseline, 1 worker', unit: 'accounts/s', samples: one },
      ],
      remarks: [
        `The baseline was measured on ${baselineUsers} users without the wait for its poll, but for the figure that says so: at SYNC_INTERVAL=300 it adds 150 s on average. Its time for ${users.toLocaleString('en-US')} is extrapolated.`,
        'REALTIME=off: the stand-in for Realtime would run on the same two cores, and decode and ask for rights once for every sign-up; where Supabase runs it, it is no part of the daemon’s machine.',
        'Where the rest of the limit goes, measured apart: the emulator, which executes one transaction after another, worked 22 of the 25 s. It waits in the first second, in which the sign-ups come, and from a seal to the next block: up to 150 ms until the seal is seen, 0.2 s until accounts are recorded, given and the next 25 signed, and up to a block’s 500 ms.',
        'POOL_SIZE=0: every account is made within the burst. The sign-ups themselves are within the time. Every wallet was verified on chain after each round.',
      ],
    };
  },
};
