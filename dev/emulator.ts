import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { AppError } from '../src/errors.js';
import type { Log } from '../src/log.js';
import { generateKeyPair } from '../src/flow/keys.js';
import { findEmulator, type EmulatorCommand, type OnProgress } from './emulatorBinary.js';
import { startGuard } from './guard.js';

/** The service account of every emulator: pays for what prepares the chain. */
export const SERVICE_ADDRESS = '0xf8d6e0586b0a20c7';

/** Ready after 0.8 s where two cores are free. */
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 3_000;
const LOG_LINES = 20;

export interface EmulatorOptions {
  /** Time between blocks, in milliseconds. 0: a block for each transaction. Default 500. */
  readonly blockTimeMs?: number;
  /** How many blocks a reference block stays good for. Default 600, as on mainnet; the emulator's own default is 10. */
  readonly transactionExpiry?: number;
  /** Gets the emulator's own lines, at level trace. */
  readonly log?: Log;
  /** Called while the emulator is being built, which takes minutes, once. */
  readonly onProgress?: OnProgress;
}

export interface Emulator {
  /** Base of the REST API, without a slash at the end. */
  readonly restUrl: string;
  readonly pid: number;
  /** Hex. The service account signs with ECDSA_P256 and SHA3_256. */
  readonly servicePrivateKey: string;
  /** Never resolves; rejects with an AppError when the emulator ends without having been asked to. */
  readonly died: Promise<never>;
  /** Stops (SIGSTOP), continues or kills it, for tests of faults. */
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/**
 * Starts the real Flow emulator on free ports of this machine, with transaction fees, and waits until it has a sealed block.
 * It keeps the chain in memory: a new start is another chain. Throws an AppError with its last lines when it does not come up.
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const command = await findEmulator(options.onProgress);
  // Between finding free ports and taking them another process can have been faster.
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(command, options);
    } catch (error) {
      if (attempt === 3 || !String(error).includes('address already in use')) throw error;
    }
  }
}

/**
 * Its heap is small and its garbage much: collected a quarter as often, it starts with 1.8 s of processor time in place of 2.7 and takes a fifth less for
 * its blocks, for 45 MB more.
 */
const COLLECTOR = { GOGC: '400' };

async function launch(command: EmulatorCommand, options: EmulatorOptions): Promise<Emulator> {
  const folder = await mkdtemp(join(tmpdir(), 'flow-emulator-'));
  const guard = startGuard({ folder, signal: 'KILL' });
  const { privateKey } = generateKeyPair();
  await writeCliConfig(folder, privateKey);
  const [port, restPort, adminPort, debuggerPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const blockTimeMs = options.blockTimeMs ?? 500;
  const child = spawn(
    command.program,
    [
      ...command.leading,
      '--host', '127.0.0.1',
      '--port', `${port}`,
      '--rest-port', `${restPort}`,
      '--admin-port', `${adminPort}`,
      '--debugger-port', `${debuggerPort}`,
      '--transaction-fees',
      '--transaction-expiry', `${options.transactionExpiry ?? 600}`,
      '--log-format', 'JSON',
      ...(blockTimeMs > 0 ? ['--block-time', `${blockTimeMs}ms`] : []),
    ],
    {
      cwd: folder,
      // The key goes by the environment: a process's arguments can be read by everyone on the machine. Nothing else named FLOW_
      // is passed on, because the emulator reads each of its settings from there.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], FLOW_SERVICEPRIVATEKEY: privateKey, ...COLLECTOR },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group: a terminal's Ctrl-C reaches the daemon, which still needs the chain to finish.
      detached: true,
    },
  );
  if (child.pid !== undefined) guard.watch(child.pid);

  const lastLines = keepLastLines(child, privateKey, options.log);
  let asked = false;
  const died = new Promise<never>((_, reject) => {
    child.once('error', (cause) => reject(new AppError('usage', 'the Flow emulator could not be started', { where: command.program, cause })));
    child.once('exit', (code, signal) => {
      if (!asked) reject(new AppError('network', `the Flow emulator ended by itself (${signal ?? `status ${String(code)}`})\n${lastLines()}`, { where: command.program }));
    });
  });
  died.catch(() => undefined);

  async function stop(): Promise<void> {
    asked = true;
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      // A stopped process (SIGSTOP) takes no SIGTERM.
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      child.kill('SIGCONT');
      await gone;
      clearTimeout(impatience);
    }
    guard.release();
    await rm(folder, { recursive: true, force: true });
  }

  const restUrl = `http://127.0.0.1:${restPort}`;
  try {
    await Promise.race([died, waitForSealedBlock(restUrl, lastLines)]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { restUrl, pid: child.pid ?? 0, servicePrivateKey: privateKey, died, signal: (name) => void child.kill(name), stop };
}

async function freePort(): Promise<number> {
  return getPort({ host: '127.0.0.1' });
}

/** `flow emulator` takes the service key from a flow.json in its folder; the bare emulator ignores the file. */
async function writeCliConfig(folder: string, privateKey: string): Promise<void> {
  const keyFile = join(folder, 'emulator-account.pkey');
  await writeFile(keyFile, privateKey, { mode: 0o600 });
  await chmod(keyFile, 0o600);
  const config = {
    networks: { emulator: '127.0.0.1:3569' },
    accounts: { 'emulator-account': { address: SERVICE_ADDRESS.slice(2), key: { type: 'file', location: keyFile } } },
    emulators: { default: { port: 3569, serviceAccount: 'emulator-account' } },
  };
  await writeFile(join(folder, 'flow.json'), JSON.stringify(config, null, 2));
}

/** Reads both outputs (a full pipe would stop the emulator) and gives the last lines on demand, without the key that it prints at its start. */
function keepLastLines(child: ChildProcess, privateKey: string, log: Log | undefined): () => string {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts.filter((text) => text.trim() !== '')) {
        const line = part.replaceAll(privateKey, '[secret]');
        lines.push(line);
        if (lines.length > LOG_LINES) lines.shift();
        log?.trace({ line }, 'emulator');
      }
    });
  }
  return () => lines.join('\n');
}

async function waitForSealedBlock(restUrl: string, lastLines: () => string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    const ready = await fetch(`${restUrl}/v1/blocks?height=sealed`, { signal: AbortSignal.timeout(1_000) }).then((answer) => answer.ok, () => false);
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new AppError('network', `the Flow emulator has no block after ${START_LIMIT_MS / 1000} s\n${lastLines()}`, { where: restUrl });
}
