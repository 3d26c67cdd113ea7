import { spawn } from 'node:child_process';
import { access, constants, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AppError } from '../src/errors.js';
import { packagePath } from '../src/packagePath.js';

export const EMULATOR_VERSION = 'v1.22.0';

/** How to start an emulator: the program and the arguments before the emulator's own. */
export interface EmulatorCommand {
  readonly program: string;
  readonly leading: readonly string[];
}

export type OnProgress = (text: string) => void;

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false);
}

async function findInPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return null;
}

/** Where a built emulator is kept between runs; the version is part of the path, so that an older one is never taken. */
export function emulatorCachePath(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'flow-wallet-sync', `emulator-${EMULATOR_VERSION}`, 'emulator');
}

/**
 * Finds the real Flow emulator: FLOW_EMULATOR_BIN, then the Flow CLI's `flow emulator`, then the cached build, then building it.
 * Throws `usage` when FLOW_EMULATOR_BIN names nothing that runs, or when nothing is found and it cannot be built.
 */
export async function findEmulator(onProgress: OnProgress = () => undefined): Promise<EmulatorCommand> {
  const named = process.env['FLOW_EMULATOR_BIN'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return { program: named, leading: [] };
    throw new AppError('usage', 'this is not a program that can be run', { where: 'FLOW_EMULATOR_BIN', mend: 'name the emulator\'s binary, or unset it' });
  }
  const cli = await findInPath('flow');
  if (cli !== null) return { program: cli, leading: ['emulator'] };
  const cached = emulatorCachePath();
  if (!(await isExecutable(cached))) await buildEmulator(cached, onProgress);
  return { program: cached, leading: [] };
}

const GET_IT = 'install the Flow CLI (https://developers.flow.com/tools/flow-cli), or Go 1.26 or newer (https://go.dev/dl) with a C compiler, or set FLOW_EMULATOR_BIN';

/**
 * Builds the emulator from the pinned module in dev/emulator. A module with a `tool` line, because `go install …@version` asks for
 * the list of versions, which some module proxies do not serve. Measured on 2 cores: 52 s download, 3 min 31 s to build, 92 MB.
 */
async function buildEmulator(target: string, onProgress: OnProgress): Promise<void> {
  const go = await findInPath('go');
  const compiler = (await findInPath(process.env['CC'] ?? 'cc')) ?? (await findInPath('gcc')) ?? (await findInPath('clang'));
  const missing = [...(go === null ? ['Go'] : []), ...(compiler === null ? ['a C compiler'] : [])];
  if (go === null || compiler === null) {
    throw new AppError('usage', `the Flow emulator is not installed and cannot be built: ${missing.join(' and ')} not found`, { where: 'PATH', mend: GET_IT });
  }

  const folder = join(target, '..');
  await mkdir(folder, { recursive: true });
  // Built beside its place and renamed: two builds at once, or one that is stopped, never leave half a binary.
  const draft = `${target}.${process.pid}`;
  const started = Date.now();
  const tell = (): void => onProgress(`building the Flow emulator ${EMULATOR_VERSION}, once: ${Math.round((Date.now() - started) / 1000)} s (about 5 min on 2 cores)`);
  tell();
  const ticking = setInterval(tell, 5_000);
  try {
    await runBuild(go, compiler, draft);
    await rename(draft, target).catch(async () => copyFile(draft, target));
    onProgress(`built the Flow emulator in ${Math.round((Date.now() - started) / 1000)} s`);
  } finally {
    clearInterval(ticking);
    await rm(draft, { force: true });
  }
}

async function runBuild(go: string, compiler: string, output: string): Promise<void> {
  const child = spawn(go, ['build', '-o', output, 'github.com/onflow/flow-emulator/cmd/emulator'], {
    cwd: packagePath('dev', 'emulator'),
    // The emulator's signature library is C; the portable form also runs on processors without ADX.
    env: { ...process.env, CGO_ENABLED: '1', CC: compiler, CGO_CFLAGS: '-O2 -D__BLST_PORTABLE__' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let tail = '';
  child.stderr.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString('utf8')).slice(-4_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new AppError('usage', `building the Flow emulator failed (status ${String(code)})\n${tail.trim()}`, { where: 'dev/emulator', mend: GET_IT });
  }
}
