import { readFailures, type Failures } from '../journal/retry.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync status --failed`: what failed and waits for an operator, with what mends it, by the IDs that `retry` takes. */
export async function runFailures(options: { json: boolean }): Promise<void> {
  const failures = await withJournal(readFailures);
  print(options.json, failures, toText(failures));
}

function toText({ accounts, users, wallets }: Failures): string {
  if (accounts.length + users.length + wallets.length === 0) return 'Nothing has failed.';
  const entry = (what: string, since: Date | null, error: string, solution: string | null): string[] => [
    `${what}${since === null ? '' : `, since ${since.toISOString().slice(0, 19)}Z`}`,
    ...error.split('\n').map((line) => `  ${line}`),
    ...(solution === null ? [] : [`  mend: ${solution}`]),
  ];
  return [
    ...accounts.flatMap((account) => entry(`account ${account.id} failed`, account.since, `${account.error_kind ?? 'internal'}: ${account.error ?? 'unknown'}`, account.solution)),
    ...users.flatMap((user) => entry(`user ${user.auth_id} was set apart`, user.since, user.reason, user.solution)),
    ...wallets.flatMap((wallet) =>
      entry(`wallet ${wallet.address}${wallet.auth_id === null ? '' : ` of user ${wallet.auth_id}`} was set apart from its ${wallet.work}`, wallet.since, wallet.reason, `tried again, alone, at ${wallet.next_at.toISOString().slice(0, 19)}Z`),
    ),
    '',
    'When the cause is mended: `wallet-sync retry ID`, or `wallet-sync retry --all-failed` for all.',
  ].join('\n');
}
