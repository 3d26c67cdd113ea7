import type { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createProgram, runProgram } from '../src/program.js';

/** Every command that design and README name, with its path. */
function commandsOf(command: Command, path: readonly string[] = []): { path: readonly string[]; command: Command }[] {
  return [{ path, command }, ...command.commands.flatMap((child) => commandsOf(child, [...path, child.name()]))];
}

/** What a command line prints, and the status it ends with. */
async function run(args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const program = createProgram();
  const printed = { out: '', err: '' };
  for (const { command } of commandsOf(program)) command.configureOutput({ writeOut: (text) => (printed.out += text), writeErr: (text) => (printed.err += text), getOutHelpWidth: () => 80, getErrHelpWidth: () => 80 });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((printed.err += String(text)), true));
  try {
    return { status: await runProgram(program, ['node', 'wallet-sync', ...args]), ...printed };
  } finally {
    stderr.mockRestore();
  }
}

const COMMANDS = commandsOf(createProgram())
  .map(({ path }) => path)
  // The demo is a program of its own, and shows its own help.
  .filter((path) => path[0] !== 'demo');

describe('the command line', () => {
  afterEach(() => {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
  });

  it('has the commands it is known by', () => {
    expect(COMMANDS.map((path) => path.join(' '))).toEqual(
      expect.arrayContaining(['', 'run', 'reconcile', 'adopt', 'status', 'doctor', 'pause', 'resume', 'resync', 'migrate', 'keys generate', 'keys rotate', 'keys verify', 'keys export', 'keys open', 'ledger', 'ledger verify', 'orphans accept', 'retry', 'funders list', 'funders add-keys']),
    );
  });

  it.each(COMMANDS.map((path) => [path.join(' ') || 'wallet-sync', path] as const))('%s: --help fits 80 × 24, tells of --json and exits 0', async (_name, path) => {
    const { status, out } = await run([...path, '--help']);
    expect(status).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(out).toContain('--json');
  });

  it.each(COMMANDS.filter((path) => path.length > 0).map((path) => [path.join(' '), path] as const))('%s: an option that it does not have is wrong use: exit 2', async (_name, path) => {
    const { status, err } = await run([...path, '--nonsense']);
    expect(status).toBe(2);
    // A required one that is missing is said first.
    expect(err).toMatch(/--nonsense|required option/);
  });

  it.each([
    ['a command that is none', ['nonsense']],
    ['options that exclude each other', ['status', '--failed', '--corrupted']],
    ['an interval that is none', ['status', '--watch', '--interval', 'soon']],
    ['an argument that is missing', ['funders', 'add-keys', '--count', '1']],
    ['a value that is none', ['resync', 'nobody']],
    ['a user that is none', ['keys', 'verify', '--user', 'nobody']],
    ['a key without a receiver\'s private key', ['keys', 'open', 'envelope.json']],
    ['a private key that is no file', ['keys', 'open', '--key', '/nowhere/receiver.pem']],
  ])('%s: exit 2, said on standard error', async (_name, args) => {
    const { status, err } = await run(args);
    expect(status).toBe(2);
    expect(err).not.toBe('');
  });

  it('a setting that is missing: exit 2', async () => {
    vi.stubEnv('DATABASE_URL', '');
    const { status, err } = await run(['status']);
    expect(status).toBe(2);
    expect(err).toContain('DATABASE_URL is missing');
  });
});
