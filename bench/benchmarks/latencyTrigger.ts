import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { signUp } from '../../dev/signUp.js';
import { signUpInFull } from '../../dev/signUpInFull.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { alternate } from '../frame/rounds.js';
import { median, quantileOf } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const ROUNDS = 6;
const PER_ROUND = 25;
const BETWEEN_MS = 500;
/** Accounts that are still free at the end: a pool that is never topped up. */
const RESERVE = 25;
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
    // Enough for all rounds, and none is made while sign-ups are timed: the emulator works on the same cores, and without a trigger it would have nothing to do.
    const all = rounds * CONTENDERS.length * WAYS.length * perRound + RESERVE;
    context.say(`making ${all} accounts ahead`);
    const maker = await world.daemon({ ...SETTINGS, POOL_SIZE: `${all}` });
    await world.poolHolds(all);
    await maker.stop();
    const readyAtCommit: boolean[] = [];
    const ways: Record<Way, () => Promise<string>> = {
      full: () => signUpInFull(authPool),
      short: async () => (await signUp(authPool)).authId,
    };
    /** Sign-ups one after another, the two ways in turns, and what each took in milliseconds: first all in full, then all short ones. */
    const timed = async (assign: 'daemon' | 'trigger', isReady: boolean): Promise<number[]> => {
      const daemon = await world.daemon({ ...SETTINGS, POOL_SIZE: `${RESERVE}`, ASSIGN: assign });
      // Those whom no trigger met have their rows from its first sweep, and are given accounts first.
      await world.ready([], 60_000);
      const times: Record<Way, number[]> = { full: [], short: [] };
      for (let n = 0; n < perRound; n += 1) {
        for (const way of WAYS) {
          const began = performance.now();
          const authId = await ways[way]();
          times[way].push(performance.now() - began);
          if (isReady) readyAtCommit.push((await servicePool.query('select from public.wallet where auth_id = $1 and flow_address is not null', [authId])).rowCount === 1);
          await pause(BETWEEN_MS);
        }
      }
      await daemon.stop();
      return [...times.full, ...times.short];
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
    const samplesOf = (name: Contender, way: Way): (readonly number[])[] => measured[name].map((round) => (way === 'full' ? round.slice(0, perRound) : round.slice(perRound)));
    const times = (name: Contender, way: Way): number => median(samplesOf(name, way).map((round, i) => median(round) / median(samplesOf('none', way)[i] ?? [])));
    const share = (readyAtCommit.filter((isReady) => isReady).length / readyAtCommit.length) * 100;
    const ofTrigger = times('trigger', 'full');
    return {
      figures: [
        promised('ready at commit', share, '% of sign-ups', '100 %', share === 100),
        promised('sign-up with ASSIGN=trigger, × its time without a trigger', ofTrigger, '×', `≤ ${MOST_TIMES} ×`, ofTrigger <= MOST_TIMES, 'lower'),
        shown('sign-up with ASSIGN=daemon, × its time without a trigger', times('daemon', 'full'), '×', 'lower'),
        ...CONTENDERS.flatMap((name) => [0.5, 0.99].map((q) => shown(`p${q * 100}, ${LABELS[name]}`, quantileOf(samplesOf(name, 'full').flat(), q), 'ms'))),
        shown('two statements alone, ASSIGN=trigger, × their time without a trigger', times('trigger', 'short'), '×', 'lower'),
        shown('two statements alone, ASSIGN=daemon, × their time without a trigger', times('daemon', 'short'), '×', 'lower'),
        ...CONTENDERS.map((name) => shown(`two statements alone, p50, ${LABELS[name]}`, quantileOf(samplesOf(name, 'short').flat(), 0.5), 'ms')),
      ],
      series: CONTENDERS.map((name) => ({ contender: name === 'none' ? LABELS[name] : `this, ${LABELS[name]}`, unit: 'ms', samples: samplesOf(name, 'full').flat() })),
      remarks: [
        'The transaction in which Supabase Auth signs a user up by address and password: twelve statements from its source (auth.users is inserted and then updated five times; identity, audit entry and tokens beside it), prepared as its driver does, timed by the client, one every half second, with an instance running and accounts made ahead. The hash of his password, 60 ms and more, comes before it and is not counted. Ratios are the median of those of each round.',
        'Two statements alone: the INSERT and the UPDATE that confirms, the only ones that our triggers see, in turns with the others.',
        'Accounts are made before all rounds, and none meanwhile: the emulator works on the same two cores, and would have work only where accounts are given. Where it makes some between the sign-ups, the same ratio was 1.37.',
        'Where the time of the two statements goes, measured apart (medians of 125, one every 0.2 s over connections of 25 each, no daemon beside): the INSERT takes 0.86 ms without a trigger, 1.13 with one that only inserts the row, 1.33 with ours while a daemon is awake, and 1.74 where it gives an account (an update that meets seven indexes and eleven checks, and a row of its history); the UPDATE 0.58 without a trigger, and with ours one call more, which finds in a setting of the transaction that the user was served; begin and commit 1.2 in all. Back to back, with everything in the processor’s caches, the same steps take a third of that. Of these two alone, changing the account and inserting the row, with nothing looked at before or after, would take 1.3 × already (docs/decisions.md).',
        'All accounts were verified on chain afterwards.',
      ],
    };
  },
};

const SETTINGS = { CONFIG_EXPORT: 'off' };
const CONTENDERS = ['trigger', 'daemon', 'none'] as const;
type Contender = (typeof CONTENDERS)[number];
const WAYS = ['full', 'short'] as const;
type Way = (typeof WAYS)[number];
const LABELS = { trigger: 'ASSIGN=trigger', daemon: 'ASSIGN=daemon', none: 'no trigger' } as const;
