import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon } from '../../../dev/daemon.js';
import { startStack, type Stack } from '../../../dev/stack.js';

/** Runs a daemon that should refuse to start. */
async function refusal(env: Readonly<Record<string, string>>): Promise<{ code: number | null; stderr: string; logged: string }> {
  const daemon = startDaemon(env);
  const { code, stderr } = await daemon.ended;
  return { code, stderr, logged: daemon.lines.map((line) => JSON.stringify(line)).join('\n') };
}

describe('a wrong setting is a clear error with its mend', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.stop());

  it('every setting missing or wrong at once gives one message that lists all of them, and exit 2; secrets are never echoed', async () => {
    const secret = 'sup3r-secret-value';
    const { code, stderr, logged } = await refusal({ DATABASE_URL: `mysql://u:${secret}@h/db`, WALLET_ENCRYPTION_KEY: secret, SUPABASE_SERVICE_ROLE_KEY: secret, NETWORK: 'moonnet', POOL_SIZE: '-1', SYNC_INTERVAL: 'soon' });
    expect(code).toBe(2);
    for (const name of ['DATABASE_URL', 'SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'NETWORK', 'WALLET_ENCRYPTION_KEY', 'POOL_SIZE', 'SYNC_INTERVAL']) expect(stderr).toContain(name);
    expect(stderr).toContain('mend:');
    expect(stderr + logged).not.toContain(secret);
  });

  it.each([
    ['an unreachable database', { DATABASE_URL: 'postgresql://u:hidden-password@127.0.0.1:1/db' }, /ECONNREFUSED[\s\S]*mend: check that DATABASE_URL/],
    ['a transaction-pooler URL', { DATABASE_URL: 'postgresql://u:hidden-password@127.0.0.1:6543/db' }, /transaction pooler[\s\S]*5432/],
    ['an access node that is not there', { FLOW_ACCESS_NODE: 'http://127.0.0.1:1' }, /127\.0\.0\.1:1/],
    ['mainnet without spending limits', { NETWORK: 'mainnet' }, /6 settings are missing[\s\S]*LIMIT_FLOW_SHORT is missing[\s\S]*FUNDER_FLOOR is missing[\s\S]*mend:/],
  ])('%s', async (_name, settings, text) => {
    const { code, stderr } = await refusal({ ...stack.env(), ...settings });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(text);
    expect(stderr).not.toContain('hidden-password');
  });

  /** The stack's flow.json with another address for funder-1. */
  async function flowJsonWith(address: string): Promise<string> {
    const flowJson = JSON.parse(await readFile(stack.env()['FLOW_JSON'] ?? '', 'utf8')) as { accounts: Record<string, { address: string }> };
    flowJson.accounts['funder-1']!.address = address;
    const changed = join(stack.folder, `flow-${address}.json`);
    await writeFile(changed, JSON.stringify(flowJson));
    return changed;
  }

  it('a funding account missing on chain', async () => {
    // A valid address of the emulator's, the 50th or so, that no account has yet.
    const { code, stderr } = await refusal({ ...stack.env(), FLOW_JSON: await flowJsonWith('0xf0531834ed3da0e4') });
    expect(code).toBe(2);
    expect(stderr).toMatch(/funder-1.*does not exist on chain[\s\S]*mend:/);
  });

  it('a NETWORK that does not match the access node’s chain id', async () => {
    const { code, stderr } = await refusal({ ...stack.env(), NETWORK: 'testnet', FUNDING_ACCOUNTS: 'funder-1', FLOW_JSON: await flowJsonWith('0x7e60df042a9c0868') });
    expect(code).toBe(2);
    expect(stderr).toMatch(/NETWORK is testnet.*serves flow-emulator[\s\S]*mend: correct NETWORK/);
  });
});
