import { availableParallelism, tmpdir } from 'node:os';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeFiles, type CommittedFlowJson } from '../../dev/chain.js';
import { startGuard } from '../../dev/guard.js';
import { startMigrated } from '../../dev/signUpCost.js';
import type { Postgres } from '../../dev/postgres.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { loadNetwork } from '../../src/flow/network.js';
import { packagePath } from '../../src/packagePath.js';
import type { Progress } from '../progress.js';
import { startReconcile } from '../reconcile.js';
import { BENCH_MASTER_KEY, createKeySource } from './benchUser.js';
import { startComingAndGoing } from './comingAndGoing.js';
import { countBadEntries } from './configuration.js';
import { readDatabaseTime, resetDatabaseTime, STATEMENT_SETTINGS } from './databaseTime.js';
import { makeRows, type Rows } from './makeRows.js';
import { watchProcess } from './watchProcess.js';
import { grouped, MEBIBYTE, type Measured } from './promises.js';
import { createSeenAddresses } from './seenAddresses.js';
import { seedUsers } from './seedUsers.js';
import { startSimulatedNode, type SimulatedNode } from './simulatedNode.js';

export interface MillionOptions {
  /** Users who have a wallet when the sweep begins. */
  readonly users: number;
  /** Addresses that a script can look at, and the same once half of them are checked. */
  readonly scriptLimit: number;
  readonly lowered: number;
  /** Time that a script takes. */
  readonly scriptMs: number;
  /** Plaintext key files too, as off mainnet. */
  readonly keyFiles: boolean;
  /** The wallet-sync to measure. */
  readonly cli: string;
  /** Gets the processor profile of the sweep; null: none is taken, which would add to its memory. */
  readonly profileFolder?: string | null;
}

/** As `npm run bench -- million` measures. */
export const SHIPPED = { users: 1_000_000, scriptLimit: 1_600, lowered: 1_200, scriptMs: 100, keyFiles: false, cli: packagePath('dist', 'src', 'cli.js') } as const;

/** Of the bench's own server, which nobody outside this machine reaches. */
const SERVICE_PASSWORD = 'bench';
/** One who comes and one who goes for so many users: 1,000 of each in a million. */
const USERS_PER_COMER = 1_000;
/** The last one comes when so much of the users is asked about: what comes after the sweep's end would prove nothing. */
const COMERS_DONE_AT = 0.9;
const FUNDER_FLOW = 10_000_000_000_000n;
const REFRESH_MS = 500;

/** The whole run; everything it starts is stopped and removed by its end. */
export async function measureMillion(options: MillionOptions, progress: Pick<Progress, 'say'>, interrupted: Promise<never>): Promise<Measured> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const folder = await mkdtemp(join(tmpdir(), 'wallet-sync-bench-'));
    // The server reads the rows' files as another user.
    await chmod(folder, 0o755);
    const guard = startGuard({ folder });
    stops.push(async () => {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      guard.release();
    });
    const startedAt = performance.now();
    progress.say('starting Postgres');
    const postgres = await startMigrated({ settings: { ...STATEMENT_SETTINGS, max_wal_size: '4GB' } });
    stops.push(() => postgres.stop());
    await postgres.query('postgres', `alter role wallet_sync_service with password '${SERVICE_PASSWORD}'`);
    const rows = await Promise.race([seed(postgres, folder, options, progress), interrupted]);
    const seedMs = performance.now() - startedAt;
    return { ...(await sweep({ postgres, folder, rows, options, progress, interrupted, stops })), seedMs };
  } finally {
    progress.say('removing everything');
    for (const stop of stops.reverse()) await stop().catch(() => undefined);
  }
}

async function seed(postgres: Postgres, folder: string, { users }: MillionOptions, progress: Pick<Progress, 'say'>): Promise<Rows> {
  const rows = await makeRows({ users, folder, workers: availableParallelism(), onMade: (made) => progress.say(`making ${grouped(users)} users with real keys`, made / users) });
  await seedUsers(postgres, rows, (step) => progress.say('loading them', undefined, step));
  for (const path of rows.paths) await rm(path);
  return rows;
}

interface SweepRun {
  readonly postgres: Postgres;
  readonly folder: string;
  readonly rows: Rows;
  readonly options: MillionOptions;
  readonly progress: Pick<Progress, 'say'>;
  readonly interrupted: Promise<never>;
  /** Gets what stops all that is started. */
  readonly stops: (() => Promise<unknown>)[];
}

async function sweep(run: SweepRun): Promise<Omit<Measured, 'seedMs'>> {
  const { postgres, folder, rows, options, progress, stops } = run;
  const { users } = options;
  const seen = createSeenAddresses(rows.addresses);
  const { node, flowJson } = await startChain(folder, options, (address) => seen.add(BigInt(address)));
  stops.push(() => node.stop());
  const share = (): number => node.stats().checked / users;

  await resetDatabaseTime(postgres);
  const accounts = join(folder, 'accounts');
  const startedAt = performance.now();
  const reconcile = startReconcile({ cli: resolve(options.cli), folder, env: settings({ postgres, node, flowJson, accounts, keyFiles: options.keyFiles }), nodeArgs: options.profileFolder == null ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profileFolder}`] });
  stops.push(() => reconcile.kill());
  const watch = watchProcess(reconcile.pid);
  const planned = Math.max(1, Math.round(users / USERS_PER_COMER));
  const comingAndGoing = startComingAndGoing({ postgres, users, count: planned, progress: () => Math.min(1, node.stats().asked / users / COMERS_DONE_AT) });
  const drawing = setInterval(() => progress.say(`sweeping ${grouped(users)} users`, share(), `${grouped(node.stats().scriptCalls)} script calls, ${Math.round(watch.peakMemory() / MEBIBYTE)} MiB`), REFRESH_MS);
  try {
    const end = await Promise.race([reconcile.ended, postgres.died, run.interrupted]);
    const wallMs = performance.now() - startedAt;
    watch.stop();
    await comingAndGoing.stop();
    clearInterval(drawing);
    progress.say('reading what came out');
    const { deleted } = comingAndGoing;
    let skipped = 0;
    for (const [user, address] of rows.addresses.entries()) if (!deleted.has(user) && !seen.has(address)) skipped += 1;
    return {
      users,
      planned,
      signedUp: comingAndGoing.signedUp(),
      deleted: deleted.size,
      skipped,
      badEntries: await countBadEntries(accounts, rows.addresses, deleted).catch(() => Number.NaN),
      node: node.stats(),
      peakMemory: watch.peakMemory(),
      memorySamples: watch.samples(),
      end,
      wallMs,
      cpuMs: watch.cpuMs(),
      database: await readDatabaseTime(postgres),
    };
  } finally {
    clearInterval(drawing);
    watch.stop();
    await comingAndGoing.stop().catch(() => undefined);
  }
}

/** A funder and the node that shows it. */
async function startChain(folder: string, options: MillionOptions, onChecked: (address: string) => void): Promise<{ node: SimulatedNode; flowJson: string }> {
  const funder = { name: 'funder-1', ...createKeySource()(-1) };
  const committed = JSON.parse(await readFile(packagePath('flow', 'flow.json'), 'utf8')) as CommittedFlowJson;
  const flowJson = await writeFiles(join(folder, 'flow'), committed, [funder], 1);
  const node = await startSimulatedNode({
    checkWallets: loadCadence(await loadNetwork({ flowJsonPath: flowJson, network: 'emulator', env: {} })).script('checkWallets'),
    funders: [{ address: funder.address, publicKey: funder.publicKey, balance: FUNDER_FLOW }],
    scriptLimit: options.scriptLimit,
    lowered: { to: options.lowered, afterChecked: Math.floor(options.users / 2) },
    scriptMs: options.scriptMs,
    onChecked,
  });
  return { node, flowJson };
}

/** What `wallet-sync run` needs too; all else is as shipped. Realtime has no part in a sweep. */
function settings(parts: { postgres: Postgres; node: SimulatedNode; flowJson: string; accounts: string; keyFiles: boolean }): Record<string, string> {
  return {
    DATABASE_URL: parts.postgres.url('wallet_sync_service', SERVICE_PASSWORD),
    SUPABASE_URL: 'http://127.0.0.1:1',
    SUPABASE_SERVICE_ROLE_KEY: 'not-a-key-of-any-project',
    REALTIME: 'off',
    NETWORK: 'emulator',
    FLOW_ACCESS_NODE: parts.node.url,
    FLOW_JSON: parts.flowJson,
    WALLET_ENCRYPTION_KEY: BENCH_MASTER_KEY.toString('base64'),
    CONFIG_EXPORT: 'on',
    // A million plaintext key files are not what is measured; on mainnet they are off too.
    PKEY_FILES: parts.keyFiles ? 'on' : 'off',
    ACCOUNTS_DIR: parts.accounts,
  };
}

