import type { Context } from 'hono';
import { z } from 'zod';
import { AppError } from '../errors.js';
import { askControl, sayChanged } from '../journal/control.js';
import type { Journal } from '../journal/pool.js';
import { retryAllFailed, retryUser } from '../journal/retry.js';
import { readInput } from './answers.js';
import type { HttpDeps, RouteEnv } from './deps.js';
import { addressOf } from './guard.js';

const authId = z.guid('must be a user id (uuid)').toLowerCase();
const asked = z.union(
  [
    z.strictObject({ command: z.enum(['pause', 'resume']) }),
    z.strictObject({ command: z.enum(['resync', 'retry']), auth_id: authId.optional() }),
  ],
  'must be {"command": "pause" | "resume"} or {"command": "resync" | "retry", "auth_id"?: uuid}',
);
type Asked = z.output<typeof asked>;

/** POST /api/control: the same as the commands of that name. */
export async function answerControl(c: Context<RouteEnv>, { journal, instance }: HttpDeps): Promise<Response> {
  const body: unknown = await c.req.json().catch(() => {
    throw new AppError('usage', 'is not JSON', { where: 'body', mend: 'send {"command": …}' });
  });
  const command = readInput(asked, body, 'body');
  const remote = addressOf(c);
  const done = await obey(journal, command, `http ${remote}`);
  instance.log.info({ command: command.command, ...('auth_id' in command ? { authId: command.auth_id } : {}), remote }, 'control asked over http');
  return c.json({ done: true, ...command, ...done });
}

/** `by`: who asks, for the audit log. */
async function obey(journal: Journal, command: Asked, by: string): Promise<object> {
  if (command.command !== 'retry') {
    const { auth_id: id } = { auth_id: undefined, ...command };
    await askControl(journal, { name: command.command, ...(id === undefined ? {} : { authId: id }) }, by);
    return {};
  }
  const retried = command.auth_id === undefined ? await retryAllFailed(journal, by) : await retryUser(journal, command.auth_id, by);
  if (retried === null) throw new AppError('data', `there is no user ${command.auth_id ?? ''}`, { where: 'public.wallet', mend: 'see `wallet-sync status --failed`' });
  await sayChanged(journal);
  return retried;
}
