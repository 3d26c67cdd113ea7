import type { Command } from 'commander';

/** `wallet-sync keys …`. `isJson`: whether --json was given, known once the arguments are read. */
export function addKeysCommands(program: Command, isJson: () => boolean): void {
  const keys = program.command('keys').description("the master key, and the users' keys under it");
  keys
    .command('generate')
    .description('print a new master key for WALLET_ENCRYPTION_KEY')
    .option('--kms <KEY_ARN>', 'have AWS KMS make it and wrap it with this key; what is printed opens through KMS alone')
    .action(async (options: { kms?: string }) => (await import('./generate.js')).runKeysGenerate({ kms: options.kms, json: isJson() }));
  keys
    .command('rotate')
    .description('move all stored keys to the master key in WALLET_ENCRYPTION_KEY_NEXT, while everything runs')
    .summary('move all stored keys to a new master key')
    .option('--status', 'instead: which master key is the current one, and how many keys are under which', false)
    .addHelpText(
      'after',
      `
1. wallet-sync keys generate
2. Set it as WALLET_ENCRYPTION_KEY_NEXT for every instance; restart them one by
   one. All open both, and go on with the old one.
3. wallet-sync keys rotate
4. Set it as WALLET_ENCRYPTION_KEY, drop WALLET_ENCRYPTION_KEY_NEXT; restart.
Broken off, it goes on when it is run again. It ends only when no key is under
the old master key; then keep that one with the backups it opens, and nowhere
else. See docs/custody.md.`,
    )
    .action(async (options: { status: boolean }) => {
      const command = await import('./rotate.js');
      return options.status ? command.runKeysStatus({ json: isJson() }) : command.runKeysRotate({ json: isJson() });
    });
  keys
    .command('verify')
    .description('open every stored key; compare it with its public key, its copy and the chain')
    .summary('open every stored key and compare it')
    .option('--user <ID>', 'one user (auth.users.id) instead of all')
    .option('--no-chain', "don't ask the chain")
    .addHelpText(
      'after',
      `
Changes nothing but the audit log, and reads the chain alone. Exit status 1
where a key is not as it should be: counts, and the first 100 with what mends
each. Stopped by Ctrl-C it reports what it has seen.`,
    )
    .action(async (options: { user?: string; chain: boolean }) => (await import('./verify.js')).runKeysVerify({ ...options, user: options.user, json: isJson() }));
  keys
    .command('export')
    .argument('<ID>', "a user's id, or his account's number or address")
    .option('--to <PUBKEY>', 'encrypt it to this public key: a PEM file, or base64 or hex')
    .option('--yes', "don't ask", false)
    .description("give a user's private key out, plain or encrypted to its receiver")
    .addHelpText(
      'after',
      `
The audit log says so before it comes out. With --to it is an envelope (HPKE,
RFC 9180) for X25519 or P-256, which the receiver opens with \`keys open\`:
  openssl genpkey -algorithm X25519 -out receiver.pem   his, mode 0600
  openssl pkey -in receiver.pem -pubout                 what he gives away`,
    )
    .action(async (id: string, options: { to?: string; yes: boolean }) => (await import('./export.js')).runKeysExport(id, { ...options, to: options.to, json: isJson() }));
  keys
    .command('open')
    .argument('[FILE]', 'the envelope; - or nothing: standard input')
    .requiredOption('--key <FILE>', "the receiver's private key: PEM, mode 0600")
    .description('open what `keys export --to` made: print the private key in it')
    .addHelpText('after', '\nNeeds no database and no setting. The private key goes to standard output alone.')
    .action(async (file: string | undefined, options: { key: string }) => (await import('./open.js')).runKeysOpen(file, { ...options, json: isJson() }));
}
