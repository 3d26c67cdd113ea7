import { z } from 'zod';
import { AppError } from '../errors.js';
import { sayChanged } from '../journal/control.js';
import { retryAccount, retryAllFailed, retryUser } from '../journal/retry.js';
import { operator } from './operator.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

const LISTED = 'see `wallet-sync status --failed`';

/** `wallet-sync retry ID | --all-failed`: failed accounts and users who were set apart are tried again. */
export async function runRetry(id: string | undefined, options: { allFailed: boolean; json: boolean }): Promise<void> {
  if ((id === undefined) !== options.allFailed) throw new AppError('usage', 'give either an ID or --all-failed', { where: 'wallet-sync retry', mend: LISTED });
  if (id === undefined) return retryAll(options.json);
  if (/^\d{1,15}$/.test(id)) return retryOne(options.json, 'account', Number(id));
  if (z.guid().safeParse(id).success) return retryOne(options.json, 'user', id.toLowerCase());
  throw new AppError('usage', "is neither an account's number nor a user's id (uuid)", { where: 'ID', mend: LISTED });
}

const THEN = {
  account: 'It is tried again, alone in its transaction, as the next one that is made.',
  user: 'A running instance looks at once; otherwise the next start does.',
};

async function retryOne(json: boolean, what: 'account' | 'user', id: number | string): Promise<void> {
  const done = await withJournal(async (journal) => {
    const retried = await (typeof id === 'number' ? retryAccount(journal, id, operator()) : retryUser(journal, id, operator()));
    if (retried?.retried === true) await sayChanged(journal);
    return retried;
  });
  if (done === null) throw new AppError('data', `there is no ${what} ${id}`, { where: what === 'account' ? 'wallet_sync.account' : 'public.wallet', mend: LISTED });
  print(json, { [what]: id, ...done }, done.retried ? `Retried ${what} ${id}. ${THEN[what]}` : `Nothing to retry: ${what} ${id} is ${done.state}.`);
}

async function retryAll(json: boolean): Promise<void> {
  const done = await withJournal(async (journal) => {
    const retried = await retryAllFailed(journal, operator());
    if (retried.accounts.length + retried.users.length + retried.wallets.length > 0) await sayChanged(journal);
    return retried;
  });
  const { accounts, users, wallets } = done;
  const counts = [countOf(accounts.length, 'account'), countOf(users.length, 'user'), countOf(wallets.length, 'wallet')].filter((text) => text !== '');
  print(json, done, counts.length === 0 ? 'Nothing to retry: nothing has failed.' : `Retried ${counts.join(', ')}.`);
}

const countOf = (count: number, what: string): string => (count === 0 ? '' : count === 1 ? `1 ${what}` : `${count} ${what}s`);
