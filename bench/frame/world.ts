import { setTimeout as pause } from 'node:timers/promises';
import { auditChain, faultsOf, sealedHeight } from '../../dev/audit.js';
import { startDaemon, type Daemon } from '../../dev/daemon.js';
import type { SignUp } from '../../dev/signUp.js';
import { startStack, type Stack, type StackOptions } from '../../dev/stack.js';
import { AppError } from '../../src/errors.js';
import type { BenchContext } from './benchmark.js';

const LOOK_MS = 50;
/** What a benchmark makes within an hour is more than a service would. */
const NO_LIMITS = { LIMIT_FLOW_SHORT: 'off', LIMIT_FLOW_LONG: 'off', LIMIT_ACCOUNTS_SHORT: 'off' };

/** The embedded stack of one benchmark: an emulator of its own, which is gone at its end. */
export interface BenchWorld {
  readonly stack: Stack;
  /** Daemons as shipped, listening, their first sweep done. `more` are settings beside the stack's. */
  daemons(count: number, more?: Readonly<Record<string, string>>): Promise<readonly Daemon[]>;
  /** One of them. */
  daemon(more?: Readonly<Record<string, string>>): Promise<Daemon>;
  /** Resolves when all of them have an address. Throws after `withinMs`. */
  ready(signUps: readonly Pick<SignUp, 'authId'>[], withinMs: number): Promise<void>;
  /** Resolves when so many accounts wait for a sign-up. */
  poolHolds(accounts: number): Promise<void>;
  /**
   * Throws where the chain's own events and the journal do not agree: duplicates, strangers, wallets that the chain doesn't show. `strangers`: accounts that other
   * contenders have made with the same funders, which the journal knows nothing of.
   */
  verify(strangers?: number): Promise<void>;
}

export async function openWorld(context: BenchContext, options: StackOptions = {}): Promise<BenchWorld> {
  const stack = await startStack({ onProgress: (text) => context.say(text), ...options });
  context.onEnd(() => stack.stop());
  const fromHeight = (await sealedHeight(stack.emulator.restUrl)) + 1;
  const until = async (isTrue: () => Promise<boolean>, withinMs: number, what: string): Promise<void> => {
    const deadline = Date.now() + withinMs;
    while (!(await Promise.race([isTrue(), context.interrupted, stack.died]))) {
      if (Date.now() > deadline) throw new AppError('internal', `${what}: not within ${withinMs / 1_000} s`, { where: 'benchmark' });
      await pause(LOOK_MS);
    }
  };
  const count = async (sql: string, params: readonly unknown[] = []): Promise<number> => Number((await stack.servicePool.query<{ count: string }>(sql, [...params])).rows[0]?.count ?? 0);

  const startOne = (more: Readonly<Record<string, string>>): Daemon => {
    const daemon = startDaemon({ ...stack.env(), ...NO_LIMITS, SYNC_INTERVAL: '86400', LOG_LEVEL: 'info', ...more });
    context.onEnd(() => daemon.stop());
    return daemon;
  };
  const startAll = async (count: number, more: Readonly<Record<string, string>> = {}): Promise<readonly Daemon[]> => {
    const started = Array.from({ length: count }, () => startOne(more));
    await Promise.all(started.map((daemon) => daemon.logged((line) => line['step'] === 'listening')));
    // One of them sweeps for all.
    await Promise.any(started.map((daemon) => daemon.logged((line) => line.msg === 'sweep done')));
    return started;
  };

  return {
    stack,
    daemons: startAll,
    async daemon(more) {
      const [daemon] = await startAll(1, more);
      if (daemon === undefined) throw new AppError('internal', 'no daemon', { where: 'benchmark' });
      return daemon;
    },
    ready(signUps, withinMs) {
      const ids = signUps.map((signUp) => signUp.authId);
      // The first question is answered by an index that is empty then: looking for thousands of ids 20 times a second would take a tenth of a core.
      const isReady = async (): Promise<boolean> =>
        (await count('select count(*) from (select from wallet_sync.waiting limit 1) waiting')) === 0 &&
        (await count('select count(*) from public.wallet where auth_id = any($1) and flow_address is not null', [ids])) === ids.length;
      return until(isReady, withinMs, `${ids.length} users ready`);
    },
    poolHolds: (accounts) => until(async () => (await count("select count(*) from wallet_sync.account where state = 'free'")) >= accounts, 120_000, `a pool of ${accounts}`),
    async verify(strangers = 0) {
      // What is still unsealed is on the chain before it is in the journal.
      await until(async () => (await count("select count(*) from wallet_sync.transaction where state = 'live'")) === 0, 60_000, 'all transactions settled');
      const { stranded = 0, ...faults } = faultsOf(await auditChain({ postgres: stack.postgres, url: stack.emulator.restUrl, fromHeight }));
      if (stranded !== strangers || Object.keys(faults).length > 0) throw new AppError('data', `the chain disagrees: ${JSON.stringify({ stranded, ...faults })}, where ${strangers} are other contenders'`, { where: 'benchmark' });
    },
  };
}
