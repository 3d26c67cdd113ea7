import { auditChain, duplicatesOf, sealedHeight, type Audit } from '../../dev/audit.js';
import { startDaemon, type Daemon, type DaemonOptions } from '../../dev/daemon.js';
import { startPostgresProxy, type PostgresProxy } from '../../dev/postgresProxy.js';
import { startStack, type Stack, type StackOptions } from '../../dev/stack.js';
import { signUpMany, type SignUp } from '../../dev/signUp.js';

export interface DaemonWorld {
  readonly stack: Stack;
  readonly postgresProxy: PostgresProxy;
  /** Starts a daemon whose timers are out of the way, through both proxies; it is stopped with the world. With `dieAt` or `holdAt` it has a fault of its own. */
  daemon(settings?: Readonly<Record<string, string>>, options?: DaemonOptions): Daemon;
  /** Those that were started and have not ended, the oldest first. */
  daemonsAlive(): readonly Daemon[];
  /** Signs so many users up, 8 at a time. */
  signUps(count: number): Promise<SignUp[]>;
  /** Resolves when all of them have an address. */
  ready(signUps: readonly SignUp[], withinMs?: number): Promise<void>;
  /** Which source delivered how many of them. */
  deliveredBy(signUps: readonly SignUp[]): Promise<Record<string, number>>;
  /** The account equation, from the chain's events. */
  audit(): Promise<Audit>;
  /** Everything that an audit finds wrong; 0 is right at any time. */
  duplicates(): Promise<number>;
  stop(): Promise<void>;
}

/** The embedded stack with daemons as real processes. */
export async function startDaemonWorld(options: StackOptions = {}): Promise<DaemonWorld> {
  const stack = await startStack({ blockTimeMs: 200, ...options });
  const postgresProxy = await startPostgresProxy(stack.postgres);
  const fromHeight = (await sealedHeight(stack.emulator.restUrl)) + 1;
  const daemons: Daemon[] = [];
  const alive = new Set<Daemon>();
  const audit = (): Promise<Audit> => auditChain({ postgres: stack.postgres, url: stack.emulator.restUrl, fromHeight });

  return {
    stack,
    postgresProxy,
    daemon(settings = {}, options = {}) {
      const env = stack.env();
      const daemon = startDaemon({ ...env, DATABASE_URL: postgresProxy.through(env['DATABASE_URL'] ?? ''), SYNC_INTERVAL: '86400', LOG_LEVEL: 'debug', ...settings }, options);
      daemons.push(daemon);
      alive.add(daemon);
      void daemon.ended.then(() => alive.delete(daemon));
      return daemon;
    },
    daemonsAlive: () => [...alive],
    signUps: (count) => signUpMany(stack.authPool, count),
    ready: (signUps, withinMs = 60_000) =>
      until(withinMs, async () => {
        const { rows } = await stack.servicePool.query<{ ready: number }>('select count(*)::integer as ready from public.wallet where auth_id = any($1) and flow_address is not null', [signUps.map((each) => each.authId)]);
        return rows[0]?.ready === signUps.length;
      }),
    async deliveredBy(signUps) {
      const { rows } = await stack.servicePool.query<{ source: string; users: number }>(
        'select delivered_by as source, count(*)::integer as users from wallet_sync.account where auth_id = any($1) group by 1',
        [signUps.map((each) => each.authId)],
      );
      return Object.fromEntries(rows.map((row) => [row.source, row.users]));
    },
    audit,
    duplicates: async () => duplicatesOf(await audit()),
    async stop() {
      for (const daemon of daemons) daemon.kill('SIGKILL');
      await Promise.all(daemons.map((daemon) => daemon.ended));
      await postgresProxy.stop();
      await stack.stop();
    },
  };
}

/** Waits for a fact, asking every 50 ms. Rejects after `withinMs`. */
export async function until(withinMs: number, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resolves when the source has proved itself. */
export const sourceIs = (daemon: Daemon, source: string, state: string) => daemon.logged((line) => line.msg === 'source health' && line['source'] === source && line['state'] === state);
