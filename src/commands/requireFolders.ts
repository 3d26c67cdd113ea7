import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, toAppError } from '../errors.js';
import { prepareFolder } from '../files/ownFolder.js';
import { pickSettings, type Environment } from '../settings.js';

/** Where files are kept for the Flow CLI, their folders are made, are this user's alone, no links, and can be written. Throws `usage` or `files` where it cannot; wrong settings are others' business. */
export async function requireFolders(environment: Environment): Promise<void> {
  const settings = readTwo(environment);
  if (settings === null || !settings.CONFIG_EXPORT) return;
  const folder = settings.ACCOUNTS_DIR;
  try {
    await prepareFolder(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    await prepareFolder(join(folder, 'pkeys'));
  } catch (thrown) {
    const { kind, message, where = folder, mend } = toAppError(thrown);
    const said = where.startsWith(join(folder, 'pkeys')) ? `pkeys ${message}` : message;
    throw new AppError(kind, `cannot be used: ${said}`, {
      where: `ACCOUNTS_DIR ${folder}`,
      cause: thrown,
      mend: thrown instanceof AppError && mend !== undefined ? `${mend}; or CONFIG_EXPORT=off` : 'let the user the daemon runs as write there (chown, chmod), set ACCOUNTS_DIR to another place, or CONFIG_EXPORT=off',
    });
  }
}

function readTwo(environment: Environment) {
  try {
    return pickSettings(environment, ['ACCOUNTS_DIR', 'CONFIG_EXPORT']);
  } catch {
    return null;
  }
}
