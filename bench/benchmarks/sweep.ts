import { performance } from 'node:perf_hooks';
import type { LogLine } from '../../dev/daemon.js';
import { signUpMany } from '../../dev/signUp.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { checkWallets, type WalletToCheck } from '../../src/flow/checkWallets.js';
import { addressArg } from '../../src/flow/args.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { openContender } from '../frame/contender.js';
import { alternate } from '../frame/rounds.js';
import { median } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';
import { AppError } from '../../src/errors.js';

const WALLETS = 10_000;
/** Single rounds differ by a third and more on two cores. */
const ROUNDS = 25;
/** Of what is only shown. */
const ROUNDS_BESIDE = 5;
const OF_BARE = 0.8;
const USERS_PER_CALL = 1_000;
/** As many as a page of the Auth server's list holds. */
const PAGE = 1_000;
/** Its scripts grow from 1,000 wallets to 2,000 at most, by a quarter with each full one that passes: at least one a sweep. */
const SETTLING_SWEEPS = 6;
/** Wallets that the baseline asks about, at two scripts each. */
const BASELINE_WALLETS = 20;

export const sweep: Benchmark = {
  name: 'sweep',
  title: 'Sweep',
  measures: 'Checks of existing wallets on the chain with nothing to mend, 5 scripts a second enforced, in addresses a second.',
  async run(context) {
    const wallets = context.isQuick ? 300 : WALLETS;
    const rounds = context.isQuick ? 1 : ROUNDS;
    const roundsBeside = context.isQuick ? 1 : ROUNDS_BESIDE;
    const world = await openWorld(context);
    const { servicePool } = world.stack;
    context.say(`making ${wallets.toLocaleString('en-US')} wallets`);
    const daemon = await world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off' });
    await world.ready(await signUpMany(world.stack.authPool, wallets), 900_000);
    await world.verify();
    await daemon.stop();
    const { node, network } = await openContender(context, world.stack);
    const cadence = loadCadence(network);
    const { rows } = await servicePool.query<{ address: string; public_key: string }>("select address, public_key from wallet_sync.account where state = 'assigned' order by id");
    const all: WalletToCheck[] = rows.map((row) => ({ address: row.address, publicKey: row.public_key }));
    const calls: number[] = [];
    // As in production: the sweeps of a daemon that runs. The one that it starts with is none of those measured.
    const startSweeper = () => world.daemon({ REALTIME: 'off', CONFIG_EXPORT: 'off', POOL_SIZE: '0', PAGE_SIZE: `${PAGE}` });
    const sweeper = await startSweeper();
    const sweepOnce = async (): Promise<void> => {
      const isDone = (line: LogLine): boolean => line.msg === 'sweep done';
      const already = sweeper.lines.filter(isDone).length;
      await world.stack.postgres.query('postgres', 'select wallet_sync.resync()');
      await Promise.race([sweeper.logged((line) => isDone(line) && sweeper.lines.filter(isDone).length > already), context.interrupted]);
    };

    const callsOf = async (work: () => Promise<void>): Promise<number> => {
      const before = world.stack.accessNode.stats().script.calls;
      await work();
      return world.stack.accessNode.stats().script.calls - before;
    };
    context.say('scripts grow');
    const settling: number[] = [];
    while (settling.length < 2 || settling.at(-1) !== settling.at(-2)) {
      if (settling.length === SETTLING_SWEEPS) throw new AppError('internal', `its sweeps took ${settling.join(', ')} calls: the size of its scripts does not settle`, { where: 'sweep' });
      settling.push(await callsOf(sweepOnce));
    }
    /** Wallets to a script, for both: the daemon takes no more calls from here on. */
    const size = Math.ceil(wallets / (settling.at(-1) ?? Number.NaN));

    /** Of the last sweep, in addresses a second. */
    const lastRate = async (): Promise<number> => {
      const cycle = await servicePool.query<{ seconds: string; total: string; corrupted: string }>(
        'select extract(epoch from ended_at - started_at) as seconds, total_wallets as total, corrupted_wallets as corrupted from wallet_sync.cycle where ended_at is not null order by id desc limit 1',
      );
      const [last] = cycle.rows;
      if (last === undefined || Number(last.total) !== wallets || Number(last.corrupted) !== 0) throw new AppError('data', `the sweep saw ${last?.total ?? 'no'} wallets, ${last?.corrupted ?? ''} corrupted`, { where: 'sweep' });
      return wallets / Number(last.seconds);
    };
    const measured = await alternate(
      rounds,
      {
        this: async () => {
          calls.push(await callsOf(sweepOnce));
          return [await lastRate()];
        },
        bare: async () => {
          const began = performance.now();
          const pages = Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
          const answers = await Promise.all(pages.map((page) => checkWallets({ accessNode: node, cadence, wallets: page })));
          if (answers.flatMap((each) => each.wallets).some((each) => !each.vault)) throw new AppError('data', 'a wallet is not whole', { where: 'bare scripts' });
          return [wallets / ((performance.now() - began) / 1_000)];
        },
      },
      (name, round) => context.say(name, round / rounds),
    );
    const beside = await alternate(roundsBeside, {
      first: async () => {
        const started = await startSweeper();
        const rate = await lastRate();
        await started.stop();
        return [rate];
      },
      baseline: async () => {
        const began = performance.now();
        for (const { address } of all.slice(0, BASELINE_WALLETS)) for (const name of ['checkFlowBalance', 'checkBaitBalance']) await node.script(cadence.script(name), [addressArg(address)]);
        return [BASELINE_WALLETS / ((performance.now() - began) / 1_000)];
      },
    }, (name, round) => context.say(name, round / roundsBeside));
    const [ours, bare, first, baseline] = [measured.this.flat(), measured.bare.flat(), beside.first.flat(), beside.baseline.flat()];
    const ofBare = median(ours.map((value, i) => value / (bare[i] ?? Number.NaN)));
    const perCall = wallets / median(calls);
    return {
      figures: [
        promised('addresses a second, of the bare scripts', ofBare, '×', `≥ ${OF_BARE}`, ofBare >= OF_BARE, 'higher'),
        promised('users a script call', perCall, 'users', `≥ ${USERS_PER_CALL.toLocaleString('en-US')}`, perCall >= USERS_PER_CALL, 'higher'),
        shown('addresses a second of a daemon’s first sweep, of the bare scripts', median(first) / median(bare), '×', 'higher'),
        shown('× the baseline', median(ours) / median(baseline), '×', 'higher'),
      ],
      series: [
        { contender: 'this', unit: 'addresses/s', samples: ours },
        { contender: 'this, its first sweep', unit: 'addresses/s', samples: first },
        { contender: 'bare scripts', unit: 'addresses/s', samples: bare },
        { contender: 'baseline', unit: 'addresses/s', samples: baseline },
      ],
      remarks: [
        `${wallets.toLocaleString('en-US')} wallets on the real emulator, ${size.toLocaleString('en-US')} to a script, as many scripts as a sweep of the daemon takes. A running daemon was asked for each sweep. Its time is its record’s, from begin to end: users, rows and the saved cycle included. Its first sweep, measured with another daemon that was just started, opens and compares all keys beside, and begins with smaller scripts.`,
        'Single rounds differ by a third and more on these cores, so the promise rests on 25 in which the two took turns; first sweeps and the baseline had five rounds of their own. Where the rest goes: 0.1 ms of the daemon’s own processor time a user and his rows in the database, beside an emulator that works on the same two cores. His key was opened and compared by the first sweep, and has not changed since.',
        `The baseline asks about ${BASELINE_WALLETS} of them, two scripts each, one after another.`,
      ],
    };
  },
};
