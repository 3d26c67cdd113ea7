import { readUsersInState } from '../journal/userStates.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync status --corrupted` and `--orphaned`: the users who were set apart so, why, since when, and what mends it. */
export async function runUsersInState(state: 'corrupted' | 'orphaned', options: { json: boolean }): Promise<void> {
  const users = await withJournal((journal) => readUsersInState(journal, state));
  const lines = users.flatMap((user) => [
    `user ${user.auth_id}${user.address === null ? '' : `, ${user.address}`}, ${state} since ${user.since.toISOString().slice(0, 19)}Z`,
    ...user.reason.split('\n').map((line) => `  ${line}`),
    ...(user.solution === null ? [] : [`  mend: ${user.solution}`]),
  ]);
  print(options.json, { users }, lines.length === 0 ? `No user is ${state}.` : lines.join('\n'));
}
