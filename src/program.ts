import { Command, CommanderError, Help, InvalidArgumentError, Option } from 'commander';
import { toAppError } from './errors.js';
import { addKeysCommands } from './commands/keys/commands.js';
import { addLedgerCommands } from './commands/ledger/commands.js';

/** The program: its commands, their arguments and options. Nothing of a command's own code is loaded before it is called. */
export function createProgram(): Command {
  const program = new Command('wallet-sync')
    .description('Gives every user of a Supabase project a Flow wallet, and keeps wallets right.')
    .option('--json', 'answer with one JSON line', false)
    .exitOverride()
    .showHelpAfterError('Run wallet-sync --help for the commands.')
    // The list of commands fits a screen without it.
    .helpCommand(false)
    // That an option is off unless it is given goes without saying.
    .configureHelp({
      showGlobalOptions: true,
      optionDescription: (option) => (option.defaultValue === false ? option.description : new Help().optionDescription(option)),
      // The list of commands fits a terminal of 24 lines without the empty ones.
      formatHelp: (command, help) => (command.parent === null ? new Help().formatHelp(command, help).replace(/\n\n(?=\S)/g, '\n') : new Help().formatHelp(command, help)),
    });

  const isJson = (): boolean => program.opts<{ json: boolean }>().json;

  // Each command's code is loaded only when it is called: the chain's library alone takes 0.4 s.
  program
    .command('run')
    .description('watch for sign-ups and keep all wallets right, until SIGTERM or SIGINT')
    .summary('watch for sign-ups and keep all wallets right')
    .option('--migrate', 'apply sql/ first (as MIGRATE_DATABASE_URL where set)', false)
    .action(async (options: { migrate: boolean }) => (await import('./commands/run.js')).runDaemon(options));
  program
    .command('migrate')
    .description('apply sql/ to the database (as MIGRATE_DATABASE_URL, else DATABASE_URL)')
    .summary('apply sql/ to the database')
    .action(async () => (await import('./commands/migrate.js')).runMigrate({ json: isJson() }));
  program
    .command('status')
    .description('wallets by state, accounts, slots, instances')
    .addOption(new Option('--failed', 'instead: what failed and waits for you, with what mends it').default(false).conflicts(['corrupted', 'orphaned']))
    .addOption(new Option('--corrupted', 'instead: users whose wallet does not add up, and why').default(false).conflicts('orphaned'))
    .addOption(new Option('--orphaned', 'instead: users who were deleted and whose wallet is kept').default(false))
    .addOption(new Option('--watch', 'show it again and again, until Ctrl-C').default(false).conflicts(['failed', 'corrupted', 'orphaned']))
    .addOption(new Option('--interval <SECONDS>', 'with --watch: the pause between').default(2).argParser(readInterval))
    .action(async (options: { failed: boolean; corrupted: boolean; orphaned: boolean; watch: boolean; interval: number }) => {
      if (options.failed) return (await import('./commands/failures.js')).runFailures({ json: isJson() });
      if (options.corrupted || options.orphaned) return (await import('./commands/usersInState.js')).runUsersInState(options.corrupted ? 'corrupted' : 'orphaned', { json: isJson() });
      if (options.watch) return (await import('./commands/watchStatus.js')).runStatusWatch({ json: isJson(), intervalMs: options.interval * 1_000 });
      return (await import('./commands/status.js')).runStatus({ json: isJson() });
    });
  program
    .command('doctor')
    .description('look at everything the daemon needs: what is wrong, and what mends it')
    .summary('what the daemon needs: what is wrong, what mends it')
    .addHelpText(
      'after',
      `
✓ is as it should be, ! should be looked at, ✗ is wrong, – was not looked at,
because what it rests on is wrong. Nothing is sent and nothing changed, but for
a NOTIFY and a row that prove LISTEN and Realtime, and the audit log's entries
of the keys that were tried. Exit status 1 where something is wrong.`,
    )
    .action(async () => (await import('./commands/doctor.js')).runDoctor({ json: isJson() }));
  const orphans = program
    .command('orphans')
    .description('users who were deleted and whose wallet is kept, and how many a sweep did not dare to mark')
    .summary('users who were deleted and whose wallet is kept')
    .action(async () => (await import('./commands/orphans.js')).runOrphans({ json: isJson() }));
  orphans
    .command('accept')
    .description('let the next sweep mark as many as the last one refused')
    .addHelpText(
      'after',
      `
A sweep that finds more than 1 % of the users (and at least 5) gone from
auth.users marks none of them: a wrong or restored database is likelier than so
many deletions. This allows as many as it refused, once, within a day.`,
    )
    .action(async () => (await import('./commands/orphans.js')).runOrphansAccept({ json: isJson() }));
  program
    .command('reconcile')
    .option('--dry-run', 'only look: every finding, and what a sweep would send and cost', false)
    .option('--user <ID>', 'one user (auth.users.id) instead of all')
    .description('one sweep, now and here: compare every wallet with the chain and mend it')
    .summary('one sweep, now and here')
    .addHelpText(
      'after',
      `
Shows a progress bar on a terminal, a line every ten seconds elsewhere. Stopped
by SIGINT or SIGTERM it ends in order, and the next sweep goes on from its last
page. One instance sweeps at a time.`,
    )
    .action(async (options: { dryRun: boolean; user?: string }) => (await import('./commands/reconcile.js')).runReconcile({ dryRun: options.dryRun, user: options.user, json: isJson() }));
  program
    .command('adopt')
    .description('take over the wallets of an older service: encrypt keys in the clear, re-wrap its own, compare with the chain')
    .summary('take over the wallets of an older service')
    .option('--dry-run', 'only look: what is there, by class, and what would be done', false)
    .option('--missing <WHAT>', 'addresses that have no account on chain: leave, or provision (a new account; the old values are kept)', 'leave')
    .option('--without-blobs', "go on where none of the older service's blobs opens", false)
    .addHelpText(
      'after',
      `
Stop the older service first. Its passphrase is ADOPT_ENCRYPTION_KEY, or where
that is not set the text of WALLET_ENCRYPTION_KEY. A row is changed only where
its old texts still stand, with its history, a page in one transaction: it may
be stopped anywhere, run again, and run beside daemons. See docs/adopt.md.`,
    )
    .action(async (options: { dryRun: boolean; missing: string; withoutBlobs: boolean }) => (await import('./commands/adopt.js')).runAdopt({ ...options, json: isJson() }));
  program
    .command('retry')
    .argument('[ID]', "an account's number or a user's id, as `wallet-sync status --failed` lists them")
    .option('--all-failed', 'all of them', false)
    .description('try again what failed, once its cause is mended')
    .summary('try again what failed')
    .action(async (id: string | undefined, options: { allFailed: boolean }) => (await import('./commands/retry.js')).runRetry(id, { ...options, json: isJson() }));
  const funders = program.command('funders').description('the accounts that pay, and the keys they propose with');
  funders
    .command('list')
    .description('balances, slots and what they do, as chain and journal have them')
    .action(async () => (await import('./commands/funders.js')).runFundersList({ json: isJson() }));
  funders
    .command('add-keys')
    .argument('<ACCOUNT>', 'a funding account: its name in flow.json, or its address')
    .requiredOption('--count <N>', 'keys to add, 1 to 100')
    .option('--yes', "don't ask", false)
    .description('add keys on chain: each proposes one more transaction at the same time')
    .addHelpText(
      'after',
      `
Sends one transaction, proposed and paid by the account itself, after asking on
a terminal. The keys are copies of the key that signs it; every running instance
uses them at once. Repeated while an earlier transaction is not sealed, it waits
for that one, and its keys count.`,
    )
    .action(async (account: string, options: { count: string; yes: boolean }) => (await import('./commands/addKeys.js')).runAddKeys(account, { ...options, json: isJson() }));
  for (const [name, does] of [
    ['pause', 'make, give and send nothing until resume'],
    ['resume', 'end a pause'],
  ] as const) {
    program
      .command(name)
      .description(does)
      .action(async () => (await import('./commands/control.js')).runControl(name, undefined, { json: isJson() }));
  }
  program
    .command('resync')
    .argument('[ID]', 'one user (auth.users.id); without it all')
    .description('ask for a sweep now')
    .action(async (id: string | undefined) => (await import('./commands/control.js')).runControl('resync', id, { json: isJson() }));
  program
    .command('logs')
    .summary("the running instances' logs")
    .description("the running instances' logs: their last lines, or with --follow what comes")
    .option('--follow', 'go on with what they write, until Ctrl-C', false)
    .option('--user <ID>', 'only lines that name this user (auth.users.id)')
    .option('--level <LEVEL>', 'only this level and above; at most what LOG_LEVEL has them write', 'info')
    .option('--instance <ID>', 'only this instance: its id, or HOST:PID')
    .option('--limit <N>', 'lines to begin with, of the last 2,000', '200')
    .addHelpText(
      'after',
      `
Needs DATABASE_URL alone, and HTTP_TOKEN for an instance that has one. An
instance on another host must answer there (HTTP_HOST). Pretty on a terminal,
NDJSON elsewhere.`,
    )
    .action(async (options: { follow: boolean; user?: string; level: string; instance?: string; limit: string }) =>
      (await import('./commands/logs.js')).runLogs({ ...options, user: options.user, instance: options.instance, json: isJson() }),
    );
  program
    .command('audit')
    .summary('what was done with keys and money')
    .description('what was done with keys and money, when and by whom, oldest first')
    .option('--user <ID>', "what concerns one user (auth.users.id): his keys, account and its transactions")
    .option('--since <TIME>', 'from then on: 2026-11-27, 2026-11-27T08:00:00Z, or 90m, 24h, 7d ago')
    .option('--kind <KIND>', 'only these, such as key-opened, key-exported, transaction-signed, paused')
    .option('--limit <N>', 'so many at most')
    .addHelpText(
      'after',
      `
Read page by page, so any number of entries may follow. With --json each is a
line of its own.`,
    )
    .action(async (options: { user?: string; since?: string; kind?: string; limit?: string }) => (await import('./commands/audit.js')).runAudit({ ...options, json: isJson() }));
  addKeysCommands(program, isJson);
  addLedgerCommands(program, isJson);
  program
    .command('demo')
    .description('everything on this machine: real Postgres, real Flow emulator, sign-ups (from a source checkout)')
    .summary('everything on this machine (source checkout)')
    .allowUnknownOption()
    .argument('[OPTIONS...]', 'see wallet-sync demo --help')
    .helpOption(false)
    .action(async (options: string[]) => (await import('./commands/demo.js')).runDemo(options));
  return program;
}

function readInterval(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 86_400)) throw new InvalidArgumentError('It is a number of seconds, 0.1 to 86400.');
  return seconds;
}

/** Runs what the arguments say and gives the exit status: 0 done, 1 failed, 2 used wrongly. A command that reports a failure of what it looked at sets `process.exitCode`. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync([...argv]);
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = toAppError(thrown);
    const isJson = program.opts<{ json: boolean }>().json;
    process.stderr.write(isJson ? `${JSON.stringify({ error: error.message, kind: error.kind, where: error.where, mend: error.mend })}\n` : `${error.explain()}\n`);
    return error.kind === 'usage' ? 2 : 1;
  }
}
