import { performance } from 'node:perf_hooks';
import { resolve } from 'node:path';
import { signUpMany } from '../../dev/signUp.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { checkWallets, type WalletToCheck } from '../../src/flow/checkWallets.js';
import { packagePath } from '../../src/packagePath.js';
import { addressArg } from '../../src/flow/args.js';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { openContenderNode } from '../frame/directNode.js';
import { alternate } from '../frame/rounds.js';
import { median } from '../frame/stats.js';
import { openWorld } from '../frame/world.js';
import { startReconcile } from '../reconcile.js';
import { AppError } from '../../src/errors.js';

const WALLETS = 10_000;
const ROUNDS = 5;
const OF_BARE = 0.8;
const USERS_PER_CALL = 1_000;
/** What a script may look at in this benchmark, for both. */
const PAGE = 1_500;
/** Wallets that the baseline asks about, at two scripts each. */
const BASELINE_WALLETS = 20;

export const sweep: Benchmark = {
  name: 'sweep',
  title: 'Sweep',
  measures: 'Checks of existing wallets on the chain with nothing to mend, 5 scripts a second enforced, in addresses a second.',
  async run(context) {
    const wallets = context.isQuick ? 300 : WALLETS;
    const rounds = context.isQuick ? 1 : ROUNDS;
    const world = await openWorld(context);
    const { servicePool } = world.stack;
    context.say(`making ${wallets.toLocaleString('en-US')} wallets`);
    const daemon = await world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off' });
    await world.ready(await signUpMany(world.stack.authPool, wallets), 900_000);
    await world.verify();
    await daemon.stop();
    const { node, network } = await openContenderNode(context, world.stack);
    const cadence = loadCadence(network);
    const { rows } = await servicePool.query<{ address: string; public_key: string }>("select address, public_key from wallet_sync.account where state = 'assigned' order by id");
    const all: WalletToCheck[] = rows.map((row) => ({ address: row.address, publicKey: row.public_key }));
    const calls: number[] = [];
    const env = { ...world.stack.env(), REALTIME: 'off', CONFIG_EXPORT: 'off', PAGE_SIZE: `${PAGE}` };

    const measured = await alternate(
      rounds,
      {
        this: async () => {
          const scripts = world.stack.accessNode.stats().script.calls;
          const reconcile = startReconcile({ cli: resolve(packagePath('dist', 'src', 'cli.js')), folder: world.stack.folder, env });
          const { code, tail } = await Promise.race([reconcile.ended, context.interrupted]);
          if (code !== 0) throw new AppError('internal', `the sweep ended with ${String(code)}\n${tail}`, { where: 'sweep' });
          calls.push(world.stack.accessNode.stats().script.calls - scripts);
          const cycle = await servicePool.query<{ seconds: string; total: string; corrupted: string }>(
            'select extract(epoch from ended_at - started_at) as seconds, total_wallets as total, corrupted_wallets as corrupted from wallet_sync.cycle where ended_at is not null order by id desc limit 1',
          );
          const [last] = cycle.rows;
          if (last === undefined || Number(last.total) !== wallets || Number(last.corrupted) !== 0) throw new AppError('data', `the sweep saw ${last?.total ?? 'no'} wallets, ${last?.corrupted ?? ''} corrupted`, { where: 'sweep' });
          return [wallets / Number(last.seconds)];
        },
        bare: async () => {
          const began = performance.now();
          const pages = Array.from({ length: Math.ceil(all.length / PAGE) }, (_, i) => all.slice(i * PAGE, (i + 1) * PAGE));
          const answers = await Promise.all(pages.map((page) => checkWallets({ accessNode: node, cadence, wallets: page })));
          if (answers.flatMap((each) => each.wallets).some((each) => !each.vault)) throw new AppError('data', 'a wallet is not whole', { where: 'bare scripts' });
          return [wallets / ((performance.now() - began) / 1_000)];
        },
        baseline: async () => {
          const began = performance.now();
          for (const { address } of all.slice(0, BASELINE_WALLETS)) for (const name of ['checkFlowBalance', 'checkBaitBalance']) await node.script(cadence.script(name), [addressArg(address)]);
          return [BASELINE_WALLETS / ((performance.now() - began) / 1_000)];
        },
      },
      (name, round) => context.say(name, round / rounds),
    );
    const [ours, bare, baseline] = [measured.this.flat(), measured.bare.flat(), measured.baseline.flat()];
    const ofBare = median(ours.map((value, i) => value / (bare[i] ?? Number.NaN)));
    const perCall = wallets / median(calls);
    return {
      figures: [
        promised('addresses a second, of the bare scripts', ofBare, '×', `≥ ${OF_BARE}`, ofBare >= OF_BARE, 'higher'),
        promised('users a script call', perCall, 'users', `≥ ${USERS_PER_CALL.toLocaleString('en-US')}`, perCall >= USERS_PER_CALL, 'higher'),
        shown('× the baseline', median(ours) / median(baseline), '×', 'higher'),
      ],
      series: [
        { contender: 'this', unit: 'addresses/s', samples: ours },
        { contender: 'bare scripts', unit: 'addresses/s', samples: bare },
        { contender: 'baseline', unit: 'addresses/s', samples: baseline },
      ],
      remarks: [
        `${wallets.toLocaleString('en-US')} wallets on the real emulator, ${PAGE.toLocaleString('en-US')} to a script. The sweep’s time is its record’s, from begin to end: users, rows, keys and the saved cycle included.`,
        `The baseline asks about ${BASELINE_WALLETS} of them, two scripts each, one after another.`,
      ],
    };
  },
};
