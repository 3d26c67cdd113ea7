import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { promised, shown, type Benchmark } from '../frame/benchmark.js';
import { openWorld } from '../frame/world.js';
import { processTicks, TICK_MS } from '../frame/processTime.js';

const READY_USERS = 100_000;
const MOST_CPU = 0.01;
const SETTLING_MS = 10_000;

export const idle: Benchmark = {
  name: 'idle',
  title: 'Idle',
  measures: 'What the daemon uses while nothing happens, with 100,000 users who have their wallets.',
  async run(context) {
    const users = context.isQuick ? 1_000 : READY_USERS;
    const minutes = context.isQuick ? 0.2 : 5;
    const world = await openWorld(context);
    const { postgres, servicePool } = world.stack;
    const daemon = await world.daemon({ CONFIG_EXPORT: 'off' });
    await world.poolHolds(25);
    context.say(`${users.toLocaleString('en-US')} users with wallets`);
    // Not published: Realtime would bring them one by one for minutes, and their rows are no sign-ups.
    await postgres.query('supabase_admin', 'alter publication supabase_realtime drop table public.wallet');
    // Rows that look ready to whoever counts and polls; nothing reads their keys while no sweep comes.
    await postgres.query(
      'supabase_admin',
      `with made as (insert into auth.users (id, email, email_confirmed_at) select gen_random_uuid(), 'idle' || n || '@example.com', now() from generate_series(1, $1) n returning id),
         given as (insert into wallet_sync.account (state, public_key, private_key, address, auth_id, free_at, assigned_at, assignment, assigned_xid)
           select 'assigned', encode(sha512(id::text::bytea), 'hex'), 'none', '0x' || substr(md5(id::text), 1, 16), id, now(), now(), nextval('wallet_sync.assignment'), pg_current_xact_id() from made returning auth_id, address, public_key)
       insert into public.wallet (auth_id, flow_address, flow_private_key, flow_public_key) select auth_id, address, 'none', public_key from given
       on conflict (auth_id) do update set flow_address = excluded.flow_address, flow_private_key = excluded.flow_private_key, flow_public_key = excluded.flow_public_key`,
      [users],
    );
    await postgres.query('supabase_admin', 'vacuum (analyze) public.wallet, wallet_sync.account, auth.users');
    await postgres.query('supabase_admin', 'alter publication supabase_realtime add table public.wallet');
    context.say('what they have rung is looked at');
    await Promise.race([pause(SETTLING_MS), context.interrupted]);
    const statements = async (): Promise<number> => Number((await servicePool.query<{ count: string }>('select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()')).rows[0]?.count ?? 0);
    const [ticks, before] = [await processTicks(daemon.pid), await statements()];
    for (let done = 0; done < 20; done += 1) {
      context.say('nothing happens', done / 20);
      await Promise.race([pause((minutes * 60_000) / 20), context.interrupted]);
    }
    const cpu = ((await processTicks(daemon.pid)) - ticks) * TICK_MS;
    const share = cpu / (minutes * 60_000);
    const memory = Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${daemon.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1_024;
    return {
      figures: [
        promised('processor time', share * 100, '% of one core', `< ${MOST_CPU * 100} %`, share < MOST_CPU),
        shown('transactions of the database, all clients', ((await statements()) - before) / minutes, 'a minute'),
        shown('resident memory', memory, 'MiB'),
      ],
      series: [{ contender: 'this', unit: '% of one core', samples: [share * 100] }],
      remarks: [
        `An idle hour, shortened to ${minutes} minutes: SYNC_INTERVAL is longer than that, all else as shipped, heartbeats, canary and polls included.`,
        'Where it goes, by a profile of 40 s: four to five statements a second (what operators want, twice; a heartbeat of three more each 2 s; the backlog poll) through the driver take the most, then collecting garbage, and the ticks by which the event loop’s delay is measured.',
      ],
    };
  },
};
