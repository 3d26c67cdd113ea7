import pg from 'pg';
import { until, type DaemonWorld } from './daemonWorld.js';

/** A user whose wallet is whole. */
export interface Wallet {
  readonly authId: string;
  readonly address: string;
}

/** Signs so many users up and lets a daemon, which is stopped again, give each a wallet. In the order in which a sweep looks at them. */
export async function everybody(world: DaemonWorld, users: number): Promise<Wallet[]> {
  const daemon = world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off' });
  await world.ready(await world.signUps(users), 100_000);
  // Stopped in the middle of its first sweep it would leave it to be resumed.
  await daemon.logged((line) => line.msg === 'sweep done');
  await daemon.stop();
  const rows = await world.stack.postgres.query<{ auth_id: string; address: string }>('postgres', "select auth_id, address from wallet_sync.account where state = 'assigned' order by auth_id");
  return rows.map((row) => ({ authId: row.auth_id, address: row.address }));
}

export interface HeldSweep {
  /** Resolves when a sweep waits at the user's page, all pages before it saved. */
  readonly reached: () => Promise<void>;
  /** Lets it go on. */
  readonly release: () => Promise<void>;
}

/**
 * Holds sweeps in the middle, at the page of a user whose wallet does not add up (which this makes so): his mark is a row that another
 * transaction is about to write.
 */
export async function holdSweepAt(world: DaemonWorld, user: Wallet): Promise<HeldSweep> {
  const { postgres } = world.stack;
  await postgres.query('postgres', "update public.wallet set flow_address = '0xnonsense' where auth_id = $1", [user.authId]);
  await postgres.query('postgres', 'delete from wallet_sync.user_state where auth_id = $1', [user.authId]);
  const client = new pg.Client({ connectionString: postgres.url('postgres') });
  await client.connect();
  await client.query('begin');
  await client.query("insert into wallet_sync.user_state (auth_id, state, reason, solution) values ($1, 'corrupted', 'held', 'held')", [user.authId]);
  return {
    reached: () =>
      until(30_000, async () => {
        const waiting = await postgres.query('postgres', "select from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into wallet_sync.user_state%'");
        return waiting.length > 0;
      }),
    async release() {
      await client.query('rollback');
      await client.end();
      await postgres.query('postgres', 'update public.wallet set flow_address = $2 where auth_id = $1', [user.authId, user.address]);
    },
  };
}

/** The newest sweep's record. */
export async function newestCycle(world: DaemonWorld): Promise<{ id: number; ended: boolean; looked: number; cursor: string | null; reason: string }> {
  const { rows } = await world.stack.servicePool.query<{ id: string; ended: boolean; looked: string; cursor: string | null; reason: string }>(
    'select id, ended_at is not null as ended, total_wallets as looked, cursor, reason from wallet_sync.cycle order by id desc limit 1',
  );
  const row = rows[0];
  if (row === undefined) throw new Error('there was no sweep');
  return { ...row, id: Number(row.id), looked: Number(row.looked) };
}
