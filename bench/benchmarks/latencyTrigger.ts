import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { signUp } from '../../dev/signUp.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { alternate } from '../frame/rounds.js';
import { median, quantileOf } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const ROUNDS = 6;
const PER_ROUND = 25;
const BETWEEN_MS = 500;
const MOST_TIMES = 1.3;

export const latencyTrigger: Benchmark = {
  name: 'latency-trigger',
  title: 'Latency, trigger',
  measures: 'What a sign-up itself takes where its own transaction gives the wallet (ASSIGN=trigger), where it only rings (ASSIGN=daemon), and where it meets no trigger.',
  async run(context) {
    const rounds = context.isQuick ? 1 : ROUNDS;
    const perRound = context.isQuick ? 5 : PER_ROUND;
    const world = await openWorld(context, { blockTimeMs: 1_000 });
    const { authPool, servicePool, postgres } = world.stack;
    let readyAtCommit = 0;
    /** Sign-ups one after another, and what each took in milliseconds. */
    const timed = async (assign: 'daemon' | 'trigger', isReady: boolean): Promise<number[]> => {
      const daemon = await world.daemon({ POOL_SIZE: `${2 * perRound}`, CONFIG_EXPORT: 'off', ASSIGN: assign });
      await world.poolHolds(2 * perRound);
      const times: number[] = [];
      for (let n = 0; n < perRound; n += 1) {
        const began = performance.now();
        const { authId } = await signUp(authPool);
        times.push(performance.now() - began);
        if (isReady) readyAtCommit += (await servicePool.query('select from public.wallet where auth_id = $1 and flow_address is not null', [authId])).rowCount ?? 0;
        await pause(BETWEEN_MS);
      }
      await daemon.stop();
      return times;
    };
    const measured = await alternate(
      rounds,
      {
        trigger: () => timed('trigger', true),
        daemon: () => timed('daemon', false),
        none: async () => {
          await postgres.query('supabase_admin', 'alter table auth.users disable trigger user');
          const times = await timed('daemon', false);
          await postgres.query('supabase_admin', 'alter table auth.users enable trigger user');
          return times;
        },
      },
      (name, round) => context.say(name, round / rounds),
    );
    await world.verify();
    const of = (name: keyof typeof measured): number => median(measured[name].map((round, i) => median(round) / median(measured.none[i] ?? [])));
    const share = (readyAtCommit / (rounds * perRound)) * 100;
    return {
      figures: [
        promised('ready at commit', share, '% of sign-ups', '100 %', share === 100),
        promised('sign-up with ASSIGN=trigger, × its time without a trigger', of('trigger'), '×', `≤ ${MOST_TIMES} ×`, of('trigger') <= MOST_TIMES, 'lower'),
        shown('sign-up with ASSIGN=daemon, × its time without a trigger', of('daemon'), '×', 'lower'),
        ...(['trigger', 'daemon', 'none'] as const).flatMap((name) => [0.5, 0.99].map((q) => shown(`p${q * 100}, ${LABELS[name]}`, quantileOf(measured[name].flat(), q), 'ms'))),
      ],
      series: (['trigger', 'daemon', 'none'] as const).map((name) => ({ contender: name === 'none' ? LABELS[name] : `this, ${LABELS[name]}`, unit: 'ms', samples: measured[name].flat() })),
      remarks: [
        'As Supabase Auth does it: a transaction with an INSERT and an UPDATE, timed by the client, one every half second, with an instance running and accounts made ahead. Ratios are the median of those of each round.',
        'Where the time goes, measured apart by statement (medians of 125, one every 0.2 s over connections of 25 each, no daemon beside): the INSERT takes 0.86 ms without a trigger, 1.13 with one that only inserts the row, 1.33 with ours while a daemon is awake, and 1.74 where it gives an account (an update that meets seven indexes and eleven checks, and a row of its history); the UPDATE 0.58 without a trigger, and with ours one call more, which finds in a setting of the transaction that the user was served; begin and commit 1.2 in all. Back to back, with everything in the processor’s caches, the same steps take a third of that. Changing the account and inserting the row, with nothing looked at before or after, would take 1.3 × (docs/decisions.md).',
        'All accounts were verified on chain afterwards.',
      ],
    };
  },
};

const LABELS = { trigger: 'ASSIGN=trigger', daemon: 'ASSIGN=daemon', none: 'no trigger' } as const;
