import { acceptOrphans, readRefused } from '../journal/orphans.js';
import { readUsersInState, type UserInState } from '../journal/userStates.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync orphans`: users who were deleted and whose wallets are kept, and how many more the last sweep did not dare to mark. */
export async function runOrphans(options: { json: boolean }): Promise<void> {
  const { orphans, refused, refused_at, accepted } = await withJournal(async (journal) => ({ orphans: await readUsersInState(journal, 'orphaned'), ...(await readRefused(journal)) }));
  const lines = [
    ...(orphans.length === 0 ? ['No wallet is orphaned.'] : orphans.map(lineOf)),
    ...(refused === null ? [] : ['', `A sweep found ${countOf(refused)} more at ${textOf(refused_at)} and marked none: they are too many to be deletions of every day.`, 'If so many users were deleted: `wallet-sync orphans accept`. Else look at DATABASE_URL and SUPABASE_URL.']),
    ...(accepted === null ? [] : ['', `The next sweep may mark ${countOf(accepted)} more.`]),
  ];
  print(options.json, { orphans, refused, refused_at, accepted }, lines.join('\n'));
}

/** `wallet-sync orphans accept`: lets the next sweep mark as many as the last one refused. */
export async function runOrphansAccept(options: { json: boolean }): Promise<void> {
  const accepted = await withJournal(acceptOrphans);
  print(options.json, { accepted: accepted ?? 0 }, accepted === null ? 'Nothing to accept: the last sweep refused no orphans.' : `Accepted: the next sweep within a day may mark ${countOf(accepted)}.`);
}

const countOf = (count: number): string => (count === 1 ? '1 orphan' : `${count} orphans`);
const textOf = (at: Date | null): string => (at === null ? '?' : `${at.toISOString().slice(0, 19)}Z`);
const lineOf = (orphan: UserInState): string => `${orphan.auth_id}  ${orphan.address ?? 'no account'}  orphaned since ${textOf(orphan.since)}`;
