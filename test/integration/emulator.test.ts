import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { prepareChain } from '../../dev/chain.js';
import { startEmulator } from '../../dev/emulator.js';
import { loadNetwork } from '../../src/flow/network.js';
import { isRunning } from './chainParts.js';

afterEach(() => void vi.unstubAllEnvs());

describe('the emulator', () => {
  it('that dies is an error with its last lines, not a hang, and its key is in neither them nor its arguments', async () => {
    const emulator = await startEmulator();
    const commandLine = await readFile(`/proc/${emulator.pid}/cmdline`, 'utf8').catch(() => '');
    expect(commandLine).not.toContain(emulator.servicePrivateKey);
    emulator.signal('SIGKILL');
    const error = await emulator.died.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'network', message: expect.stringContaining('SIGKILL') as string });
    expect(String(error)).not.toContain(emulator.servicePrivateKey);
    await emulator.stop();
  });

  it('is gone after stop, also while it is halted, and stopping twice is harmless', async () => {
    const emulator = await startEmulator();
    emulator.signal('SIGSTOP');
    await emulator.stop();
    await emulator.stop();
    expect(isRunning(emulator.pid)).toBe(false);
  });

  it.each([
    ['a program that is not there', '/nowhere/emulator', 'usage'],
    ['a program that ends at once', '/bin/false', 'network'],
  ])('named as %s is a clear error', async (_, path, kind) => {
    vi.stubEnv('FLOW_EMULATOR_BIN', path);
    await expect(startEmulator()).rejects.toMatchObject({ kind });
  });
});

it('a chain is prepared with a block for each transaction as well, and with several keys for each funder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-test-'));
  const emulator = await startEmulator({ blockTimeMs: 0 });
  try {
    const { flowJson } = await prepareChain({ ...emulator, folder, funders: 2, keysPerFunder: 3 });
    const { funders, contracts } = await loadNetwork({ flowJsonPath: flowJson, network: 'emulator', env: {} });
    expect(funders.map((funder) => [funder.name, funder.keyIndexes])).toEqual([
      ['funder-1', [0, 1, 2]],
      ['funder-2', [0, 1, 2]],
    ]);
    expect(Object.keys(contracts)).toContain('BaitCoin');
    expect((await stat(join(folder, 'keys', 'funder-1.pkey'))).mode & 0o777).toBe(0o600);
    await expect(prepareChain({ ...emulator, folder, funders: 1 })).rejects.toMatchObject({ kind: 'chain-state' });
  } finally {
    await emulator.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
