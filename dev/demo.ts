import { Command, CommanderError } from 'commander';
import type pg from 'pg';
import { AppError, toAppError } from '../src/errors.js';
import { auditChain, duplicatesOf, sealedHeight } from './audit.js';
import { startDaemon, type Daemon, type LogLine } from './daemon.js';
import { quantile, readyTimes } from './measure.js';
import { signUpMany, type SignUp } from './signUp.js';
import { startStack, type Stack } from './stack.js';
import { wholeNumber } from './wholeNumber.js';

interface DemoOptions {
  readonly users: number;
  readonly pool: number;
  readonly blockTime: number;
  readonly exit: boolean;
  readonly json: boolean;
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Reads the demo's options. Throws commander's error for unknown ones. */
function readOptions(args: readonly string[]): DemoOptions {
  return new Command('wallet-sync demo')
    .description('The whole of it on this machine: real Postgres, a real Flow emulator, a Supabase stand-in, the daemon, and sign-ups.')
    .option('--users <n>', 'users to sign up', wholeNumber(0, 99_999), 5)
    .option('--pool <n>', 'accounts made ahead of need (POOL_SIZE); 0 makes each on demand', wholeNumber(0, 99_999), 25)
    .option('--block-time <ms>', "the emulator's block time", wholeNumber(0, 99_999), 500)
    .option('--exit', 'end when all users have their wallet, instead of at Ctrl-C', false)
    .option('--json', 'one final JSON line on standard output', false)
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<DemoOptions>();
}

/** A log line for a person: time, message, then what it carries. */
function formatLine({ time, msg, level, ...rest }: LogLine): string {
  const mark = typeof level === 'number' && level >= 40 ? '! ' : '  ';
  const values = Object.entries(rest).filter(([, value]) => value !== null && typeof value !== 'object');
  return `${mark}${String(time).slice(11, 23)} ${msg}${values.map(([key, value]) => ` ${key}=${String(value)}`).join('')}`;
}

/** The last line: what happened to these users, counted in the database and on the chain. */
async function summarise(stack: Stack, signUps: readonly SignUp[], fromHeight: number) {
  const times = await readyTimes(stack.authPool, stack.servicePool, signUps);
  const ids = signUps.map((signUp) => signUp.authId);
  const { rows } = await stack.servicePool.query<{ source: string; users: string; hits: string }>(
    `select delivered_by as source, count(*) as users, count(*) filter (where pool_hit) as hits
     from wallet_sync.account where auth_id = any($1) group by 1`,
    [ids],
  );
  const sealed = await stack.servicePool.query<{ transactions: string }>("select count(*) as transactions from wallet_sync.transaction where kind = 'create' and state = 'sealed'");
  const by = (source: string): number => Number(rows.find((row) => row.source === source)?.users ?? 0);
  const round = (ms: number): number => Math.round(ms * 10) / 10;
  return {
    users: signUps.length,
    ready: times.length,
    failed: signUps.length - times.length,
    duplicates: duplicatesOf(await auditChain({ postgres: stack.postgres, url: stack.emulator.restUrl, fromHeight })),
    transactions: Number(sealed.rows[0]?.transactions ?? 0),
    p50_ms: round(quantile(times, 0.5)),
    p99_ms: round(quantile(times, 0.99)),
    pool_hits: rows.reduce((sum, row) => sum + Number(row.hits), 0),
    delivered_by: { notify: by('notify'), realtime: by('realtime'), poll: by('poll') },
  };
}

/** Resolves when all these users have an address; tells each as it comes. Rejects after `withinMs`. */
async function allReady(pool: pg.Pool, signUps: readonly SignUp[], withinMs: number, tell: (authId: string, address: string) => void): Promise<void> {
  const open = new Set(signUps.map((signUp) => signUp.authId));
  const deadline = Date.now() + withinMs;
  while (open.size > 0) {
    const { rows } = await pool.query<{ auth_id: string; flow_address: string }>('select auth_id, flow_address from public.wallet where auth_id = any($1) and flow_address is not null', [[...open]]);
    for (const row of rows) {
      open.delete(row.auth_id);
      tell(row.auth_id, row.flow_address);
    }
    if (open.size > 0 && Date.now() > deadline) throw new AppError('internal', `${open.size} users still have no wallet after ${withinMs / 1_000} s`, { where: 'demo', mend: 'read the log lines above' });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function poolFull(pool: pg.Pool, size: number, daemon: Daemon): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ free: string }>("select count(*) as free from wallet_sync.account where state = 'free'");
    if (Number(rows[0]?.free ?? 0) >= size) return;
    const end = await Promise.race([daemon.ended, new Promise<null>((resolve) => setTimeout(() => resolve(null), 100))]);
    if (end !== null) throw new AppError('internal', `the daemon ended: ${end.stderr}`, { where: 'demo' });
  }
}

/** The demo's course, on a running stack and daemon. */
async function showSignUps(stack: Stack, daemon: Daemon, options: DemoOptions, fromHeight: number): Promise<void> {
  await daemon.logged((line) => line['step'] === 'listening');
  await daemon.logged((line) => line.msg === 'source health' && line['source'] === 'notify' && line['state'] === 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
  if (options.pool > 0) say(`Making ${options.pool} accounts ahead of need …`);
  await poolFull(stack.servicePool, options.pool, daemon);
  say(`Signing up ${options.users} users …`);
  const signUps = await signUpMany(stack.authPool, options.users);
  await allReady(stack.servicePool, signUps, 120_000, (authId, address) => say(`  ${authId}  →  ${address}`));
  const summary = await summarise(stack, signUps, fromHeight);
  process.stdout.write(`${options.json ? JSON.stringify(summary) : JSON.stringify(summary, null, 2)}\n`);
  if (summary.ready !== summary.users || summary.duplicates > 0) process.exitCode = 1;
  if (options.exit) return;
  const { url } = await daemon.logged((line) => line.msg === 'http listening');
  say(`\nEverything runs until Ctrl-C.\n  dashboard ${String(url)}\n  database  ${stack.env()['DATABASE_URL'] ?? ''}\n  sign-ups  psql '${stack.postgres.url('supabase_auth_admin')}' -c "insert into auth.users (id, email) values (gen_random_uuid(), 'me@example.com')"\n  a sweep   psql … -c "notify wallet_sync_control, 'resync'"`);
  await daemon.ended;
}

async function runDemo(options: DemoOptions, interrupted: Promise<NodeJS.Signals>): Promise<void> {
  say('Starting Postgres, the Flow emulator and the Supabase stand-in …');
  const stack = await startStack({ blockTimeMs: options.blockTime, onProgress: say });
  let daemon: Daemon | undefined;
  try {
    const fromHeight = (await sealedHeight(stack.emulator.restUrl)) + 1;
    daemon = startDaemon({ ...stack.env(), POOL_SIZE: String(options.pool) }, { onLine: (line) => !options.json && line.msg !== 'wallet ready' && say(formatLine(line)) });
    const shown = showSignUps(stack, daemon, options, fromHeight);
    shown.catch(() => undefined); // After an interruption its end no longer matters.
    const daemonDied = daemon.ended.then((end) => {
      throw new AppError('internal', `the daemon ended by itself (${end.code ?? end.signal})\n${end.stderr}`, { where: 'demo' });
    });
    daemonDied.catch(() => undefined);
    await Promise.race([shown, stack.died, daemonDied, interrupted]);
  } finally {
    await daemon?.stop();
    await stack.stop();
  }
}

async function main(): Promise<void> {
  const interrupted = new Promise<NodeJS.Signals>((resolve) => {
    process.on('SIGINT', resolve).on('SIGTERM', resolve);
  });
  try {
    await runDemo(readOptions(process.argv.slice(2)), interrupted);
  } catch (thrown) {
    if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
    else {
      say(toAppError(thrown).explain());
      process.exitCode = 1;
    }
  }
}

await main();
