import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import { isAddressOf } from '../../src/flow/addressSpace.js';
import { loadCadence, resolveImports } from '../../src/flow/cadence.js';
import { funderKeyVariable } from '../../src/flow/funderKey.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { loadNetwork, type Network } from '../../src/flow/network.js';
import { packagePath } from '../../src/packagePath.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'network-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const EMULATOR_ADDRESSES = ['179b6b1cb6755e31', 'f3fcd2c1a78f5eee'];
const TESTNET_ADDRESS = '9a0766d93b6608b7';

const pair = generateKeyPair();

function key(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'file', location: 'keys/funder.pkey', signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', ...more };
}

function writeKey(mode = 0o600, text = `${pair.privateKey}\n`): void {
  mkdirSync(join(folder, 'keys'), { recursive: true });
  const path = join(folder, 'keys', 'funder.pkey');
  writeFileSync(path, text);
  chmodSync(path, mode);
}

function load(config: unknown, more: { network?: string; fundingAccounts?: string[]; env?: Record<string, string> } = {}): Promise<Network> {
  const flowJsonPath = join(folder, 'flow.json');
  writeFileSync(flowJsonPath, typeof config === 'string' ? config : JSON.stringify(config));
  return loadNetwork({ flowJsonPath, network: 'emulator', env: {}, ...more });
}

async function faultOf(run: () => unknown): Promise<AppError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a network', () => {
  it('takes as funders the funder-* accounts whose addresses are of that network', async () => {
    writeKey();
    const network = await load({
      accounts: {
        'funder-1': { address: EMULATOR_ADDRESSES[0], key: key() },
        'funder-2': { address: `0x${EMULATOR_ADDRESSES[1]}`, key: key({ indexes: [0, 1, 2] }), note: 'ours' },
        'funder-testnet': { address: TESTNET_ADDRESS, key: key() },
        somebody: { address: EMULATOR_ADDRESSES[0], key: key({ location: 'nowhere' }) },
      },
    });
    expect(network.funders.map(({ name, address, keyIndexes, signer }) => ({ name, address, keyIndexes, publicKey: signer.publicKey }))).toEqual([
      { name: 'funder-1', address: '0x179b6b1cb6755e31', keyIndexes: [0], publicKey: pair.publicKey },
      { name: 'funder-2', address: '0xf3fcd2c1a78f5eee', keyIndexes: [0, 1, 2], publicKey: pair.publicKey },
    ]);
    expect(JSON.stringify(network)).not.toContain(pair.privateKey);
  });

  it('takes the named accounts instead, each once', async () => {
    writeKey();
    const accounts = { treasury: { address: EMULATOR_ADDRESSES[0], key: key({ index: 3 }) }, 'funder-1': { address: EMULATOR_ADDRESSES[1], key: key() } };
    const network = await load({ accounts }, { fundingAccounts: ['treasury', 'treasury'] });
    expect(network.funders.map((funder) => [funder.name, funder.keyIndexes])).toEqual([['treasury', [3]]]);
  });

  it('takes a key from the environment and then needs no file', async () => {
    const network = await load({ accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key() } } }, { env: { FUNDER_KEY_FUNDER_1: `0x${pair.privateKey.toUpperCase()}` } });
    expect(network.funders[0]?.signer.publicKey).toBe(pair.publicKey);
  });

  it('takes from the environment also the place of the key: a file, or a secret that is mounted', async () => {
    writeKey();
    const path = join(folder, 'keys', 'funder.pkey');
    const config = { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key({ location: 'nowhere' }) } } };
    const { funders } = await load(config, { env: { FUNDER_KEY_FUNDER_1: `file:${path}` } });
    expect(funders[0]?.signer.publicKey).toBe(pair.publicKey);
    chmodSync(path, 0o444);
    expect((await load(config, { env: { FUNDER_KEY_FUNDER_1: `mounted:${path}` } })).funders[0]?.signer.publicKey).toBe(pair.publicKey);
    expect(await faultOf(() => load(config, { env: { FUNDER_KEY_FUNDER_1: `file:${path}` } }))).toMatchObject({ kind: 'usage', message: expect.stringContaining('0444') as string });
    expect(await faultOf(() => load(config, { env: { FUNDER_KEY_FUNDER_1: 'aws-kms:alias/mine' } }))).toMatchObject({ kind: 'usage', where: 'FUNDER_KEY_FUNDER_1' });
  });

  it('knows from the committed flow.json the contracts of every network, and no funder', async () => {
    for (const name of ['emulator', 'testnet', 'mainnet'] as const) {
      const network = await loadNetwork({ flowJsonPath: packagePath('flow', 'flow.json'), network: name, env: {} });
      expect(network.chainId).toBe(`flow-${name}`);
      expect(network.funders).toEqual([]);
      expect(Object.keys(network.contracts)).toEqual(expect.arrayContaining(['FungibleToken', 'FlowToken']));
      for (const address of Object.values(network.contracts)) expect(isAddressOf(address, name)).toBe(true);
    }
    expect(readFileSync(packagePath('flow', 'flow.json'), 'utf8')).not.toMatch(/private|[0-9a-f]{64}/i);
  });

  it('reads contracts that the Flow CLI lists as dependencies', async () => {
    const network = await load({ dependencies: { FlowToken: { source: 'mainnet://1654653399040a61.FlowToken', hash: 'x', aliases: { emulator: '0ae53cb6e3f42a79' } } }, contracts: { Plain: './Plain.cdc' } });
    expect(network.contracts).toEqual({ FlowToken: '0x0ae53cb6e3f42a79' });
  });
});

describe('a faulty flow.json is refused with its place and a mend, and no key is repeated:', () => {
  it.each<[string, unknown, RegExp]>([
    ['no JSON', `{"accounts": {"x": "${pair.privateKey}"`, /not JSON/],
    ['a list', [], /top/],
    ['an inline key', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: pair.privateKey } } }, /inline/],
    ['an inline key in an object', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: { type: 'hex', privateKey: pair.privateKey } } } }, /inline/],
    ['an inline key beside a file', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key({ privateKey: pair.privateKey }) } } }, /inline/],
    ['an address that is none', { accounts: { 'funder-1': { address: 'alice', key: key() } } }, /accounts\.funder-1\.address/],
    ['a contract address that is none', { contracts: { FlowToken: { aliases: { emulator: 'xyz' } } } }, /contracts\.FlowToken/],
    ['a KMS key that is none', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: { type: 'aws-kms', resourceID: 'alias/mine' } } } }, /resourceID.*ARN/],
    ['a key of a type that is not known', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: { type: 'google-kms', resourceID: 'projects/x' } } } }, /"file" or "aws-kms"/],
    ['an algorithm that is none', { accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key({ signatureAlgorithm: 'RSA' }) } } }, /signatureAlgorithm/],
  ])('%s', async (_, config, says) => {
    const fault = await faultOf(() => load(config));
    expect(fault.kind).toBe('usage');
    expect(fault.explain()).toMatch(says);
    expect(fault.explain()).not.toContain(pair.privateKey);
    expect(String(fault.cause ?? '')).not.toContain(pair.privateKey);
  });

  it('a file that is not there', async () => {
    const fault = await faultOf(() => loadNetwork({ flowJsonPath: join(folder, 'nowhere.json'), network: 'emulator', env: {} }));
    expect(fault).toMatchObject({ kind: 'usage', mend: expect.stringContaining('FLOW_JSON') as string });
  });

  it('a network that is none', async () => {
    expect(await faultOf(() => load({}, { network: 'canarynet' }))).toMatchObject({ kind: 'usage', where: 'NETWORK' });
  });

  it.each([0o644, 0o640, 0o604, 0o660])('a key file of mode %o', async (mode) => {
    writeKey(mode);
    const fault = await faultOf(() => load({ accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key() } } }));
    expect(fault.mend).toBe(`chmod 600 ${join(folder, 'keys', 'funder.pkey')}`);
  });

  it('a key file that is a link, or lies where others can put another', async () => {
    writeKey();
    symlinkSync(join(folder, 'keys', 'funder.pkey'), join(folder, 'link.pkey'));
    const config = (location: string): unknown => ({ accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key({ location }) } } });
    expect(await faultOf(() => load(config('link.pkey')))).toMatchObject({ kind: 'usage', message: expect.stringContaining('links are not followed') as string });
    chmodSync(join(folder, 'keys'), 0o777);
    expect(await faultOf(() => load(config('keys/funder.pkey')))).toMatchObject({ kind: 'usage', message: expect.stringContaining('folder that others can write') as string });
  });

  it.each(['', 'not hex', '00'.repeat(32), `${pair.privateKey}00`])('a key file that holds %j', async (text) => {
    writeKey(0o600, text);
    const fault = await faultOf(() => load({ accounts: { 'funder-1': { address: EMULATOR_ADDRESSES[0], key: key() } } }));
    expect(fault.kind).toBe('usage');
    expect(fault.where).toContain('funder.pkey');
  });

  it('a funding account that is not there, and one of another network, both in one message', async () => {
    writeKey();
    const fault = await faultOf(() => load({ accounts: { other: { address: TESTNET_ADDRESS, key: key() } } }, { fundingAccounts: ['missing', 'other'] }));
    expect(fault.explain()).toMatch(/missing[\s\S]*other/);
  });
});

it('a funder\'s variable is its name in capitals', () => {
  expect(funderKeyVariable('funder-1')).toBe('FUNDER_KEY_FUNDER_1');
  expect(funderKeyVariable('my.treasury account')).toBe('FUNDER_KEY_MY_TREASURY_ACCOUNT');
});

describe('string imports', () => {
  it('become addresses, and nothing else changes', () => {
    const code = 'import "FlowToken"\n  import "FungibleToken"\n/// import "FlowToken" in a comment\nlet x = "import \\"FlowToken\\""\n';
    expect(resolveImports(code, { FlowToken: '0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6' }, 'emulator')).toBe(
      'import FlowToken from 0x0ae53cb6e3f42a79\n  import FungibleToken from 0xee82856bf20e2aa6\n/// import "FlowToken" in a comment\nlet x = "import \\"FlowToken\\""\n',
    );
  });

  it('without an address are an error that names the contract and the network', async () => {
    const fault = await faultOf(() => resolveImports('import "toString"\nimport "FlowToken"', {}, 'testnet'));
    expect(fault.explain()).toMatch(/testnet for toString, FlowToken/);
  });

  it('are the only imports of every .cdc file', () => {
    const cadence = loadCadence({ name: 'emulator', contracts: { FlowToken: '0ae53cb6e3f42a79', FungibleToken: 'ee82856bf20e2aa6', BaitCoin: 'f8d6e0586b0a20c7' } });
    for (const name of ['createWallets', 'createAllVault', 'publishBaitBalance', 'fundWallet', 'fundWallets']) expect(cadence.transaction(name)).not.toContain('import "');
    for (const name of ['checkFlowBalance', 'checkBaitBalance', 'checkWallets']) expect(cadence.script(name)).not.toContain('import "');
    expect(cadence.contract('BaitCoin')).toContain('import FungibleToken from 0xee82856bf20e2aa6');
    expect(() => cadence.script('nothing')).toThrow(expect.objectContaining({ kind: 'internal' }));
  });
});
