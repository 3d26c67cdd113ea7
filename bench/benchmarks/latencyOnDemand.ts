import { performance } from 'node:perf_hooks';
import { readyTimes } from '../../dev/measure.js';
import { sendAndSeal } from '../../dev/chain.js';
import { signUp } from '../../dev/signUp.js';
import { parseAmount } from '../../src/flow/amount.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { buildCreateAccounts } from '../../src/flow/createAccounts.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { openContender } from '../frame/contender.js';
import { alternate } from '../frame/rounds.js';
import { quantileOf } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';

const ROUNDS = 6;
const PER_ROUND = 25;
const TARGETS = [
  { q: 0.5, most: 1.25 },
  { q: 0.99, most: 2 },
] as const;

export const latencyOnDemand: Benchmark = {
  name: 'latency-on-demand',
  title: 'Latency, on demand',
  measures: 'From the commit of a sign-up to the commit of its wallet with POOL_SIZE=0 and blocks of 1 s, against submit → sealed of a bare transaction that makes the same account.',
  async run(context) {
    const rounds = context.isQuick ? 1 : ROUNDS;
    const perRound = context.isQuick ? 3 : PER_ROUND;
    const world = await openWorld(context, { blockTimeMs: 1_000 });
    const { node, network } = await openContender(context, world.stack);
    // The last funder is the bare transaction's own: no two meet on a sequence number.
    const bare = network.funders.at(-1);
    const others = network.funders.slice(0, -1).map((funder) => funder.name);
    if (bare === undefined) throw new Error('no funder');
    await world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off', FUNDING_ACCOUNTS: others.join(',') });
    const cadence = loadCadence(network);
    const measured = await alternate(
      rounds,
      {
        this: async () => {
          const times: number[] = [];
          for (let n = 0; n < perRound; n += 1) {
            const signedUp = await signUp(world.stack.authPool);
            await world.ready([signedUp], 60_000);
            times.push(...(await readyTimes(world.stack.authPool, world.stack.servicePool, [signedUp])));
          }
          return times;
        },
        bare: async () => {
          const times: number[] = [];
          for (let n = 0; n < perRound; n += 1) {
            const [account, reference] = await Promise.all([node.account(bare.address), node.latestSealedBlock()]);
            const began = performance.now();
            await sendAndSeal(
              node,
              await buildCreateAccounts({
                network, cadence, reference, signer: bare.signer,
                slot: { address: bare.address, keyIndex: 0, sequenceNumber: account?.keys[0]?.sequenceNumber ?? 0 },
                publicKeys: [generateKeyPair().publicKey],
                fundingAmount: parseAmount('0.1'),
              }),
            );
            times.push(performance.now() - began);
          }
          return times;
        },
      },
      (name, round) => context.say(name, round / rounds),
    );
    await world.verify(rounds * perRound);
    const [ours, theirs] = [measured.this.flat(), measured.bare.flat()];
    return {
      figures: TARGETS.flatMap(({ q, most }) => {
        const ratio = quantileOf(ours, q) / quantileOf(theirs, q);
        return [promised(`p${q * 100}, × the bare transaction`, ratio, '×', `≤ ${most} ×`, ratio <= most, 'lower'), shown(`p${q * 100}`, quantileOf(ours, q), 'ms'), shown(`p${q * 100} of the bare transaction`, quantileOf(theirs, q), 'ms')];
      }),
      series: [
        { contender: 'this', unit: 'ms', samples: ours },
        { contender: 'bare transaction', unit: 'ms', samples: theirs },
      ],
      remarks: ['One sign-up after another, each once the one before is ready. Every wallet was verified on chain afterwards.'],
    };
  },
};
