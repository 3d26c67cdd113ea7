import { signUpMany } from '../../dev/signUp.js';
import { runBaseline } from '../contenders/baseline.js';
import { shown, type Benchmark } from '../frame/benchmark.js';
import { openContender } from '../frame/contender.js';
import { openWorld } from '../frame/world.js';

const USERS = 100;
const BASELINE_USERS = 10;
const FLOW = 100_000_000;

export const cost: Benchmark = {
  name: 'cost',
  title: 'Cost',
  measures: 'Fees and computation of a wallet, from account to funding, by the chain’s own fee events.',
  async run(context) {
    const users = context.isQuick ? 25 : USERS;
    const baselineUsers = context.isQuick ? 2 : BASELINE_USERS;
    const world = await openWorld(context);
    context.say('this');
    const daemon = await world.daemon({ POOL_SIZE: `${users}`, CONFIG_EXPORT: 'off' });
    await world.poolHolds(users);
    const signUps = await signUpMany(world.stack.authPool, users);
    await world.ready(signUps, 120_000);
    await world.verify();
    const { rows } = await world.stack.servicePool.query<{ fees: string; effort: string; members: string }>(
      `select sum(t.fee) as fees, sum(t.execution_effort) as effort, sum((select count(*) from wallet_sync.member m where m.transaction_id = t.id)) as members
       from wallet_sync.transaction t where t.kind = 'create' and t.state = 'sealed'`,
    );
    await daemon.stop();
    const [fees, effort, members] = [Number(rows[0]?.fees), Number(rows[0]?.effort), Number(rows[0]?.members)];
    context.say('baseline');
    const contender = await openContender(context, world.stack);
    const toServe = await signUpMany(world.stack.authPool, baselineUsers);
    const base = await runBaseline({ ...contender, users: toServe.map((signUp) => signUp.authId), folder: world.stack.folder, workers: 3 });
    const baseFees = Number(base.fees) / baselineUsers;
    return {
      figures: [
        shown('fees of a wallet', fees / members / FLOW, 'FLOW'),
        shown('fees of a wallet, baseline', baseFees / FLOW, 'FLOW'),
        shown('the baseline’s fees, of ours', baseFees / (fees / members), '×', 'higher'),
        shown('computation of a wallet', effort / members, 'units'),
        shown('computation of a wallet, baseline', base.effort / baselineUsers, 'units'),
        shown('transactions of a wallet, baseline', base.transactions / baselineUsers, 'transactions'),
        shown('scripts of a wallet, baseline', base.scripts / baselineUsers, 'scripts'),
      ],
      series: [
        { contender: 'this', unit: 'FLOW', samples: [fees / members / FLOW] },
        { contender: 'baseline', unit: 'FLOW', samples: [baseFees / FLOW] },
      ],
      remarks: ['Fees apart from what the wallet itself gets. The emulator’s fee parameters; mainnet’s differ and change.'],
    };
  },
};
