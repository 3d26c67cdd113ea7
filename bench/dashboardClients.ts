import { setTimeout as pause } from 'node:timers/promises';
import { Command, CommanderError } from 'commander';
import { startDaemon, type Daemon } from '../dev/daemon.js';
import { quantile, readyTimes } from '../dev/measure.js';
import { signUp, type SignUp } from '../dev/signUp.js';
import { startStack, type Stack } from '../dev/stack.js';
import { toAppError } from '../src/errors.js';
import { watchEvents } from './eventWatchers.js';
import { startProgress } from './progress.js';
import { wholeNumber } from '../dev/wholeNumber.js';

interface Options {
  readonly clients: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly rate: number;
  readonly json: boolean;
}

/** Who watches may cost a sign-up so much, as a share of its time in the median. */
const MOST_ADDED = 0.1;

function readOptions(args: readonly string[]): Options {
  return new Command('bench:clients')
    .description('Compares how fast wallets are given while dashboards watch the event stream, and while none does: rounds in turn on one daemon.')
    .option('--clients <n>', 'dashboards that watch', wholeNumber(1, 99_999), 50)
    .option('--seconds <s>', 'time with them, over all rounds; as long without', wholeNumber(1, 99_999), 60)
    .option('--rounds <n>', 'rounds of each', wholeNumber(1, 99_999), 6)
    .option('--rate <n>', 'sign-ups a second', wholeNumber(1, 99_999), 10)
    .option('--json', 'one JSON line on standard output', false)
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<Options>();
}

/** Signs up at the given rate for so long, and gives the times to each wallet in milliseconds, ascending. */
async function measure(stack: Stack, { rate, seconds }: { rate: number; seconds: number }): Promise<number[]> {
  const signUps: Promise<SignUp>[] = [];
  for (let n = 0; n < rate * seconds; n += 1) {
    signUps.push(signUp(stack.authPool));
    await pause(1_000 / rate);
  }
  const done = await Promise.all(signUps);
  for (;;) {
    const times = await readyTimes(stack.authPool, stack.servicePool, done);
    if (times.length === done.length) return times;
    await pause(100);
  }
}

async function poolIsFull(stack: Stack, size: number): Promise<void> {
  const free = async (): Promise<number> => Number((await stack.servicePool.query<{ free: string }>("select count(*) as free from wallet_sync.account where state = 'free'")).rows[0]?.free ?? 0);
  while ((await free()) < size) await pause(200);
}

async function run(stack: Stack, daemon: Daemon, options: Options, say: (step: string, done?: number) => void) {
  const perRound = options.seconds / options.rounds;
  const { url } = (await daemon.logged((line) => line.msg === 'http listening')) as unknown as { url: string };
  await daemon.logged((line) => line.msg === 'sweep done');
  const rounds: { calm: number[]; watched: number[]; received: number }[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const done = round / options.rounds;
    // What is taken in a round is there before it: nothing is made meanwhile that both sides would not pay alike.
    const measureCalm = async (): Promise<number[]> => {
      await poolIsFull(stack, options.rate * perRound);
      say('without a client', done);
      return measure(stack, { rate: options.rate, seconds: perRound });
    };
    const measureWatched = async (): Promise<{ times: number[]; received: number }> => {
      await poolIsFull(stack, options.rate * perRound);
      say(`with ${options.clients} clients`, done);
      const watchers = await watchEvents(url, options.clients);
      const times = await measure(stack, { rate: options.rate, seconds: perRound });
      watchers.close();
      return { times, received: watchers.received() };
    };
    // Each side is first in every other round.
    if (round % 2 === 0) {
      const calm = await measureCalm();
      const { times, received } = await measureWatched();
      rounds.push({ calm, watched: times, received });
    } else {
      const { times, received } = await measureWatched();
      rounds.push({ calm: await measureCalm(), watched: times, received });
    }
  }
  return rounds;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const progress = startProgress();
  progress.say('starting Postgres, emulator and daemon');
  const stack = await startStack({ blockTimeMs: 1_000 });
  const daemon = startDaemon({ ...stack.env(), POOL_SIZE: String(2 * options.rate * Math.ceil(options.seconds / options.rounds)), CONFIG_EXPORT: 'off', SYNC_INTERVAL: '86400' });
  try {
    const rounds = await run(stack, daemon, options, (step, done) => progress.say(step, done));
    progress.end();
    const ascending = (side: 'calm' | 'watched'): number[] => rounds.flatMap((round) => round[side]).sort((a, b) => a - b);
    const [calm, watched] = [ascending('calm'), ascending('watched')];
    const figures = {
      clients: options.clients,
      sign_ups: calm.length,
      received_bytes: rounds.reduce((sum, round) => sum + round.received, 0),
      calm: { p50_ms: quantile(calm, 0.5), p90_ms: quantile(calm, 0.9), p99_ms: quantile(calm, 0.99) },
      watched: { p50_ms: quantile(watched, 0.5), p90_ms: quantile(watched, 0.9), p99_ms: quantile(watched, 0.99) },
      p50_by_round: rounds.map((round) => ({ calm: quantile(round.calm, 0.5), watched: quantile(round.watched, 0.5) })),
      added: quantile(watched, 0.5) / quantile(calm, 0.5) - 1,
    };
    if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else {
      const side = ({ p50_ms, p90_ms, p99_ms }: typeof figures.calm): string => `p50 ${p50_ms.toFixed(2)} ms, p90 ${p90_ms.toFixed(2)} ms, p99 ${p99_ms.toFixed(2)} ms`;
      process.stdout.write(
        [
          `without a client     ${side(figures.calm)}, ${calm.length} sign-ups`,
          `with ${String(options.clients).padEnd(4)} clients    ${side(figures.watched)}, ${watched.length} sign-ups, ${(figures.received_bytes / 1e6).toFixed(1)} MB received`,
          `p50 by round         ${figures.p50_by_round.map((each) => `${each.calm.toFixed(2)} → ${each.watched.toFixed(2)}`).join('; ')}`,
          `${figures.added < MOST_ADDED ? 'PASS' : 'FAIL'}  clients add          ${(figures.added * 100).toFixed(1)} % to a sign-up in the median  (under ${MOST_ADDED * 100} %)`,
          '',
        ].join('\n'),
      );
    }
    return figures.added < MOST_ADDED ? 0 : 1;
  } finally {
    progress.end();
    await daemon.stop();
    await stack.stop();
  }
}

try {
  process.exitCode = await main();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`${toAppError(thrown).explain()}\n`);
    process.exitCode = 1;
  }
}
