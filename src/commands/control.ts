import { z } from 'zod';
import { AppError } from '../errors.js';
import { askControl } from '../journal/control.js';
import { operator } from './operator.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync pause | resume | resync [ID]`: writes the control row and says that it changed. */
export async function runControl(name: 'pause' | 'resume' | 'resync', authId: string | undefined, options: { json: boolean }): Promise<void> {
  if (authId !== undefined && !z.guid().safeParse(authId).success) throw new AppError('usage', 'is not a user id (uuid)', { where: 'ID' });
  await withJournal((journal) => askControl(journal, authId === undefined ? { name } : { name, authId }, operator()));
  const done = { pause: 'Paused: nothing is made, given or sent until `wallet-sync resume`.', resume: 'Resumed.', resync: 'Resync asked for.' }[name];
  print(options.json, { asked: name, ...(authId === undefined ? {} : { authId }) }, done);
}
