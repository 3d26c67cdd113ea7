import { Command, CommanderError } from 'commander';
import { wholeNumber } from '../dev/wholeNumber.js';
import { toAppError } from '../src/errors.js';
import { onInterruption } from './interruption.js';
import { measureMillion, SHIPPED, type MillionOptions } from './million/measure.js';
import { judge } from './million/promises.js';
import { formatReport } from './million/report.js';
import { startProgress } from './progress.js';

/** The benchmark `million` with other sizes, and with all that it has measured: what a change of the sweep is tried with. */

interface Options extends MillionOptions {
  readonly json: boolean;
}

function readOptions(args: readonly string[]): Options {
  return new Command('bench:sweep')
    .description('Measures one sweep of many users in real Postgres against a simulated access node.')
    .option('--users <n>', 'users who have a wallet when the sweep begins', wholeNumber(1, 9_999_999), SHIPPED.users)
    .option('--script-limit <n>', 'addresses that a script can look at', wholeNumber(1, 9_999_999), SHIPPED.scriptLimit)
    .option('--lowered <n>', 'the same once half of them are checked', wholeNumber(1, 9_999_999), SHIPPED.lowered)
    .option('--script-ms <ms>', 'time that a script takes', wholeNumber(1, 9_999_999), SHIPPED.scriptMs)
    .option('--key-files', 'write plaintext key files too, as off mainnet (PKEY_FILES=on)', false)
    .option('--cli <path>', 'the wallet-sync to measure', SHIPPED.cli)
    .option('--json', 'one JSON line on standard output', false)
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<Options>();
}

/** Exit status: 0 all promises kept, 1 one was broken or the run failed, 2 used wrongly. */
async function main(): Promise<number> {
  const interrupted = onInterruption();
  try {
    const options = readOptions(process.argv.slice(2));
    const progress = startProgress();
    const measured = await measureMillion(options, progress, interrupted).finally(() => progress.end());
    const promises = judge(measured);
    process.stdout.write(`${options.json ? JSON.stringify({ ...measured, promises }) : formatReport(measured, promises)}\n`);
    return promises.every((each) => each.kept) ? 0 : 1;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${toAppError(thrown).explain()}\n`);
    return 1;
  }
}

const status = await main();
// A worker that still makes rows is not worth waiting for; output is flushed first.
process.stdout.write('', () => process.exit(status));
