import type { Command } from 'commander';

/** `wallet-sync ledger …`. `isJson`: whether --json was given, known once the arguments are read. */
export function addLedgerCommands(program: Command, isJson: () => boolean): void {
  const ledger = program
    .command('ledger')
    .summary('every FLOW that left a funder')
    .description('every FLOW that left a funder: deposits, what accounts cost, fees; the newest last, then the totals')
    .option('--since <TIME>', 'from then on: 2026-11-27, 2026-11-27T08:00:00Z, or 90m, 24h, 7d ago')
    .option('--user <ID>', "what one user's wallet (auth.users.id) cost, without the fees of batches")
    .option('--funder <ADDRESS>', 'what one funding account paid')
    .addHelpText(
      'after',
      `
Read page by page, so any number of entries may follow. With --json each is a
line of its own, the totals the last. Amounts in FLOW.`,
    )
    .action(async (options: { since?: string; user?: string; funder?: string }) =>
      (await import('./list.js')).runLedger({ since: options.since, user: options.user, funder: options.funder, json: isJson() }),
    );
  ledger
    .command('verify')
    .summary('compare it with the chain')
    .description("compare the ledger with the chain's events and the funders' balances, to 10^-8 FLOW")
    .option('--since <TIME>', 'from then on; without it from where it was last found right')
    .configureHelp({ ...program.configureHelp(), visibleGlobalOptions: () => [...program.options] })
    .addHelpText(
      'after',
      `
Reads every block: two calls for 250 of them, so about 30 s for a day of mainnet
at EVENT_RPS=30. Nothing is sent. What is not settled yet is named and left out.
Exit status 1 where something does not agree, or FLOW left a funder in a
transaction that is none of this service.`,
    )
    // An option that both have goes to the first of them, wherever it stands.
    .action(async (_: unknown, command: Command) => (await import('./verify.js')).runLedgerVerify({ ...command.optsWithGlobals<{ since?: string; user?: string; funder?: string }>(), json: isJson() }));
}
