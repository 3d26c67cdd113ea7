import { constants, type Stats } from 'node:fs';
import { access, lstat, opendir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isOwn } from '../../files/ownFolder.js';
import { defineCheck, fail, ok, warn, worstOf, type Outcome } from '../check.js';

/** Key files looked at, at most. */
const LOOKED_AT = 1_000;

/** The folder for the Flow CLI can be written, and nobody else can read the keys in it. */
export const accountsFolderCheck = defineCheck({
  name: 'ACCOUNTS_DIR',
  settings: ['ACCOUNTS_DIR', 'CONFIG_EXPORT'],
  async examine(_, { ACCOUNTS_DIR, CONFIG_EXPORT }) {
    if (!CONFIG_EXPORT) return ok('not looked at: CONFIG_EXPORT is off');
    const folder = resolve(ACCOUNTS_DIR);
    const found = await lstat(folder).catch(() => null);
    if (found === null) return canWrite(await nearest(folder), `${ACCOUNTS_DIR} is not there yet`);
    const fault = faultOf(found);
    if (fault !== null) return fail(`${ACCOUNTS_DIR} is ${fault}`, 'remove it or give it to the user the daemon runs as (chown), or set ACCOUNTS_DIR to another place, past any link');
    const pkeys = join(folder, 'pkeys');
    const files = await keyFileModes(pkeys);
    return worstOf([await canWrite(folder, ACCOUNTS_DIR), narrow(folder, found.mode), ...files], `${ACCOUNTS_DIR} can be written, and only its owner reads it`);
  },
});

async function canWrite(folder: string, says: string): Promise<Outcome> {
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => ok(`${says}; ${folder} can be written`),
    (error: NodeJS.ErrnoException) => fail(`${folder} cannot be written (${error.code ?? 'error'})`, 'let the user the daemon runs as write there (chown, chmod), or set ACCOUNTS_DIR to another place'),
  );
}

/** The closest folder above it that is there. */
async function nearest(folder: string): Promise<string> {
  const parent = dirname(folder);
  if (parent === folder || (await lstat(parent).catch(() => null)) !== null) return parent;
  return nearest(parent);
}

/** What keeps the daemon from using it; null where nothing does. */
function faultOf(stat: Stats): string | null {
  if (stat.isSymbolicLink()) return 'a link, and links are not followed';
  if (!stat.isDirectory()) return 'not a folder';
  return isOwn(stat) ? null : `another user's (uid ${stat.uid})`;
}

const text = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');
const narrow = (path: string, mode: number): Outcome => ((mode & 0o077) === 0 ? ok(path) : warn(`${path} can be read by others (mode ${text(mode)})`, `chmod 700 ${path}`));

/** A key in plain text that others can read is a wallet that others can empty. */
async function keyFileModes(pkeys: string): Promise<Outcome[]> {
  const found = await lstat(pkeys).catch(() => null);
  if (found === null) return [];
  const fault = faultOf(found);
  if (fault !== null) return [fail(`${pkeys} is ${fault}`, 'remove it: the daemon makes it anew')];
  const open: string[] = [];
  const foreign: string[] = [];
  let looked = 0;
  for await (const entry of await opendir(pkeys)) {
    if (!entry.name.endsWith('.pkey')) continue;
    const stat = await lstat(join(pkeys, entry.name));
    if (!stat.isFile() || !isOwn(stat)) foreign.push(entry.name);
    else if ((stat.mode & 0o077) !== 0) open.push(entry.name);
    if ((looked += 1) >= LOOKED_AT) break;
  }
  const strange = foreign.length === 0 ? [] : [warn(`${foreign.length} key files of ${pkeys} are links, folders or another user's, such as ${foreign[0] ?? ''}: none is read, and files are replaced`, 'see who put them there, and remove them')];
  return [narrow(pkeys, found.mode), ...strange, ...(open.length === 0 ? [] : [fail(`${open.length} key files of ${pkeys} can be read by others, such as ${open[0] ?? ''}`, `chmod 600 ${pkeys}/*.pkey; who could read them has the wallets' keys`)])];
}
