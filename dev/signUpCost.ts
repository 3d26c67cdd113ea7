import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { migrate } from '../src/journal/migrate.js';
import { createLog } from '../src/log.js';
import { quantile } from './measure.js';
import { startPostgres, type Postgres, type PostgresOptions } from './postgres.js';
import { signUpMany } from './signUp.js';

/** What a sign-up meets: each is set up by the statements of {@link SET_UP}. */
export const WAYS = ['no trigger', 'insert only', 'daemon, awake', 'daemon, ringing', 'trigger, full pool', 'trigger, empty pool'] as const;
export type Way = (typeof WAYS)[number];

const SLEEPING = "insert into wallet_sync.instance (id, host, pid) values (gen_random_uuid(), 'here', 1);";
const AWAKE = "insert into wallet_sync.instance (id, host, pid, awake_until) values (gen_random_uuid(), 'here', 1, 'infinity');";
const ASSIGN = (by: string): string => `update wallet_sync.control set assign = '${by}';`;
/** Free accounts with private keys as long as encrypted ones are. */
const POOL = (accounts: number): string => `
  insert into wallet_sync.account (state, public_key, private_key, address, free_at)
  select 'free', encode(sha512(n::text::bytea), 'hex'), repeat('k', 200), '0x' || lpad(to_hex(n), 16, '0'), clock_timestamp()
  from generate_series(1, ${accounts}) n;`;

/** The least that a trigger of ours could do: the wallet's row, and nothing else. {@link OURS_AGAIN} ends it. */
export const INSERT_ONLY = `
  alter table auth.users disable trigger user;
  create or replace function public.insert_only() returns trigger language plpgsql security definer set search_path = '' as
    'begin insert into public.wallet (auth_id) values (new.id); return new; end';
  create trigger insert_only after insert on auth.users for each row execute function public.insert_only();`;

const SET_UP: Readonly<Record<Way, (signUps: number) => string>> = {
  'no trigger': () => 'alter table auth.users disable trigger user;',
  'insert only': () => INSERT_ONLY,
  'daemon, awake': () => AWAKE + ASSIGN('daemon'),
  'daemon, ringing': () => SLEEPING + ASSIGN('daemon'),
  'trigger, full pool': (signUps) => SLEEPING + ASSIGN('trigger') + POOL(signUps + 1),
  'trigger, empty pool': () => SLEEPING + ASSIGN('trigger'),
};

const TABLES = ['public.wallet', 'auth.users', 'wallet_sync.account_history', 'wallet_sync.account', 'wallet_sync.instance'];
export const OURS_AGAIN = 'drop trigger if exists insert_only on auth.users; alter table auth.users enable trigger user;';
const CLEAR = `${OURS_AGAIN} ${TABLES.map((table) => `delete from ${table};`).join(' ')}`;
const WARM_UP = 20;

export interface CostOptions {
  readonly rounds: number;
  /** Sign-ups a way in each round. */
  readonly signUps: number;
  /** Sign-ups at a time, each over its own connection. */
  readonly connections: number;
  /** Draws the order of the ways in each round. */
  readonly random?: () => number;
}

/** Of one way: a figure for each round, ascending. */
export interface Cost {
  /** Median time of the short sign-up's transaction (begin, INSERT, UPDATE, commit), in milliseconds. */
  readonly medianMs: readonly number[];
  readonly p99Ms: readonly number[];
  readonly perSecond: readonly number[];
  /** Processor time of a sign-up in the server, in milliseconds: says more than the others on a busy machine. NaN where the system doesn't tell. */
  readonly cpuMs: readonly number[];
}

type Figures = { readonly [name in keyof Cost]: number };

/** Times sign-ups in each way, the ways in an order drawn anew for each round. Empties the tables. A listener hears all that rings. */
export async function measureSignUps(postgres: Postgres, options: CostOptions): Promise<Record<Way, Cost>> {
  const auth = new pg.Pool({ connectionString: postgres.url('supabase_auth_admin'), max: options.connections });
  // Idle connections hear that the server stops.
  auth.on('error', () => undefined);
  const listener = new pg.Client({ connectionString: postgres.url('postgres') });
  await listener.connect();
  await listener.query('listen wallet_sync');
  const rounds = new Map<Way, Figures[]>(WAYS.map((way) => [way, []]));
  try {
    for (let round = 0; round < options.rounds; round++) {
      for (const way of shuffled(WAYS, options.random ?? Math.random)) {
        await postgres.query('supabase_admin', CLEAR + SET_UP[way](options.signUps + WARM_UP));
        for (const table of TABLES) await postgres.query('supabase_admin', `vacuum (analyze) ${table}`);
        await signUpMany(auth, WARM_UP, { concurrency: options.connections });
        const before = await cpuMs(postgres);
        const timed = await timeSignUps(auth, options);
        rounds.get(way)?.push({ ...timed, cpuMs: ((await cpuMs(postgres)) - before) / options.signUps });
      }
    }
  } finally {
    await listener.end();
    await auth.end();
  }
  const costOf = (way: Way): Cost => {
    const ascending = (name: keyof Cost): number[] => (rounds.get(way) ?? []).map((figures) => figures[name]).sort((a, b) => a - b);
    return { medianMs: ascending('medianMs'), p99Ms: ascending('p99Ms'), perSecond: ascending('perSecond'), cpuMs: ascending('cpuMs') };
  };
  return Object.fromEntries(WAYS.map((way) => [way, costOf(way)])) as Record<Way, Cost>;
}

/** So many sign-ups over so many connections of `auth`, each as fast as it can. */
export async function timeSignUps(auth: pg.Pool, { signUps, connections }: Pick<CostOptions, 'signUps' | 'connections'>): Promise<Omit<Figures, 'cpuMs'>> {
  const times: number[] = [];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let i = 0; i < signUps / connections; i++) {
        const before = performance.now();
        await signUpMany(auth, 1);
        times.push(performance.now() - before);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1_000;
  times.sort((a, b) => a - b);
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99), perSecond: times.length / seconds };
}

/** Processor time that the connections of sign-ups have used in the server so far, in milliseconds (Linux). */
async function cpuMs(postgres: Postgres): Promise<number> {
  const backends = await postgres.query<{ pid: number }>('supabase_admin', "select pid from pg_stat_activity where usename = 'supabase_auth_admin'");
  const nanoseconds = await Promise.all(backends.map(({ pid }) => readFile(`/proc/${pid}/schedstat`, 'utf8').then((text) => Number(text.split(' ')[0]), () => NaN)));
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items.map((item) => ({ item, at: random() })).sort((a, b) => a.at - b.at).map(({ item }) => item);
}

/** A Postgres of its own with sql/ applied. */
export async function startMigrated(options: PostgresOptions = {}): Promise<Postgres> {
  const postgres = await startPostgres(options);
  await migrate({ connectionString: postgres.url('postgres'), log: createLog({ level: 'silent', pretty: false }) });
  return postgres;
}

/** The table that docs/decisions.md shows: each figure is the median of its rounds (the lowest to the highest). */
async function printTable(rounds: number, signUps: number): Promise<void> {
  const shown = (figures: readonly number[], digits: number): string => {
    const [median, lowest, highest] = [0.5, 0, 1].map((q) => quantile(figures, q).toFixed(digits));
    return `${median} (${lowest} to ${highest})`;
  };
  const lines = ['| connections | sign-up meets | median ms | p99 ms | a second | server CPU ms |', '|---|---|---|---|---|---|'];
  const postgres = await startMigrated();
  try {
    for (const connections of [1, 8]) {
      const costs = await measureSignUps(postgres, { rounds, signUps, connections });
      for (const way of WAYS) lines.push(`| ${[connections, way, shown(costs[way].medianMs, 2), shown(costs[way].p99Ms, 1), shown(costs[way].perSecond, 0), shown(costs[way].cpuMs, 3)].join(' | ')} |`);
    }
  } finally {
    await postgres.stop();
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

// npx tsx dev/signUpCost.ts [ROUNDS] [SIGN-UPS A WAY AND ROUND]
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [rounds = 9, signUps = 400] = process.argv.slice(2).map(Number);
  await printTable(rounds, signUps);
}
