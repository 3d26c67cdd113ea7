import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKeySource } from '../../bench/million/benchUser.js';
import { addressOfKey } from '../../bench/million/keyAddress.js';
import { startSimulatedNode, type SimulatedNode, type SimulatedNodeOptions } from '../../bench/million/simulatedNode.js';
import { sendAndSeal } from '../../dev/chain.js';
import { isAddressOf } from '../../src/flow/addressSpace.js';
import { formatAmount } from '../../src/flow/amount.js';
import { addressArg, arrayArg, stringArg } from '../../src/flow/args.js';
import { checkWallets, type WalletToCheck } from '../../src/flow/checkWallets.js';
import { buildCreateAccounts, readCreatedAccounts } from '../../src/flow/createAccounts.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { startTestChain, type TestChain } from './chainParts.js';

let chain: TestChain;
let node: SimulatedNode;
beforeAll(async () => void (chain = await startTestChain({ blockTimeMs: 0 })));
afterAll(async () => chain?.stop());
afterEach(async () => node?.stop());

const keyOf = createKeySource();
const FUNDER = { ...keyOf(-1), balance: 9_999_899_999_000n };
const user = (number: number): WalletToCheck => keyOf(number);
const users = (count: number): WalletToCheck[] => Array.from({ length: count }, (_, i) => user(i));
const FAST = { scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 };

async function start(options: Partial<SimulatedNodeOptions> = {}): Promise<void> {
  node = await startSimulatedNode({ checkWallets: chain.cadence.script('checkWallets'), funders: [FUNDER], scriptLimit: 1_600, ...options });
}

const connect = (rates = FAST) => chain.connect({ url: node.url, limiter: createLimiter(rates), timeoutMs: 60_000 });
const check = (wallets: readonly WalletToCheck[], accessNode = connect()) => checkWallets({ accessNode, cadence: chain.cadence, wallets });

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function read(url: string, init?: RequestInit): Promise<Answer> {
  const answer = await fetch(url, init);
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

/** The script call as it goes over the wire, and what comes back, with nothing of ours between. */
function askRaw(url: string, wallets: readonly WalletToCheck[]): Promise<Answer> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const args = [arrayArg(wallets.map((wallet) => addressArg(wallet.address))), arrayArg(wallets.map((wallet) => stringArg(wallet.publicKey)))];
  const body = JSON.stringify({ script: base64(chain.cadence.script('checkWallets')), arguments: args.map((arg) => base64(JSON.stringify(arg))) });
  return read(`${url}/v1/scripts?block_height=sealed`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
}

/** A script's answer as JSON-Cadence text, without the height. */
const textOf = (answer: Answer): string => Buffer.from(JSON.parse(answer.text) as string, 'base64').toString().replace(/"\d+","type":"UInt64"/, '"0","type":"UInt64"');

describe('the simulated node answers as the emulator does', () => {
  it('to checkWallets, byte for byte but for the height', async () => {
    const pair = generateKeyPair();
    const transaction = await buildCreateAccounts({ network: chain.network, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference(), publicKeys: [pair.publicKey], fundingAmount: 10_000_000n });
    const { address } = readCreatedAccounts((await sendAndSeal(chain.accessNode, transaction)).events)[0]!;
    const stranger = generateKeyPair().publicKey;
    const [real] = (await checkWallets({ accessNode: chain.accessNode, cadence: chain.cadence, wallets: [{ address, publicKey: pair.publicKey }] })).wallets;

    await start({ flowBalance: formatAmount(real!.flowBalance) });
    const simulated = addressOfKey(pair.publicKey);
    for (const publicKeys of [[], [pair.publicKey], [pair.publicKey, stranger, pair.publicKey]]) {
      const expected = await askRaw(chain.emulator.restUrl, publicKeys.map((publicKey) => ({ address, publicKey })));
      const answer = await askRaw(node.url, publicKeys.map((publicKey) => ({ address: simulated, publicKey })));
      expect(answer).toMatchObject({ status: expected.status, type: expected.type });
      expect(textOf(answer)).toBe(textOf(expected));
    }
  });

  it('to a script that computes too much', async () => {
    await start();
    const expected = await askRaw(chain.emulator.restUrl, Array.from({ length: 12_000 }, () => ({ address: chain.funder.address, publicKey: FUNDER.publicKey })));
    expect(expected.text).toContain('[Error Code: 1110]');
    // But for the place in the script where it had enough.
    const withoutPlace = (answer: Answer): Answer => ({ ...answer, text: answer.text.replace(/\\n *--\\u003e.*?\\n\\nWas/s, 'Was') });
    expect(withoutPlace(await askRaw(node.url, users(1_601)))).toEqual(withoutPlace(expected));
  });

  it('about the network, blocks and a funder: the same fields', async () => {
    await start();
    const shapeOf = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shapeOf);
      return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)])) : typeof value;
    };
    for (const path of [() => '/v1/network/parameters', () => '/v1/blocks?height=sealed', (address: string) => `/v1/accounts/${address.slice(2)}?block_height=sealed&expand=keys`]) {
      const [expected, answer] = await Promise.all([read(chain.emulator.restUrl + path(chain.funder.address)), read(node.url + path(FUNDER.address))]);
      expect(answer).toMatchObject({ status: expected.status, type: expected.type });
      expect(shapeOf(JSON.parse(answer.text))).toEqual(shapeOf(JSON.parse(expected.text)));
    }
    const nobody = 'a'.repeat(64);
    expect(await read(`${node.url}/v1/blocks/${nobody}`)).toEqual(await read(`${chain.emulator.restUrl}/v1/blocks/${nobody}`));
  });
});

describe('through the program\'s own client', () => {
  it('shows whole wallets, and tells a wrong key', async () => {
    const seen: string[] = [];
    await start({ onChecked: (address) => void seen.push(address) });
    const { height, wallets } = await check([user(1), { ...user(2), publicKey: user(3).publicKey }]);
    const whole = { exists: true, keyPresent: true, flowBalance: 10_000_000n, flowReceiver: true, vault: true, receiverCapability: true, balanceCapability: true };
    expect(wallets).toMatchObject([whole, { ...whole, keyPresent: false }]);
    expect(height).toBeLessThanOrEqual(node.height());
    expect(seen).toEqual([user(1).address, user(2).address]);
    expect(node.stats()).toEqual({ scriptCalls: 1, refused: 0, tooLarge: 0, asked: 2, checked: 2, strangeKeys: 1, unknown: [] });
  });

  it('shows the network, its blocks and a funder', async () => {
    await start();
    const accessNode = connect();
    expect(await accessNode.chainId()).toBe('flow-emulator');
    const block = await accessNode.latestSealedBlock();
    expect(await accessNode.heightOf(block.id)).toBe(block.height);
    expect(await accessNode.account(FUNDER.address)).toMatchObject({ address: FUNDER.address, balance: FUNDER.balance, keys: [{ index: 0, publicKey: FUNDER.publicKey, weight: 1_000, revoked: false }] });
  });

  it('takes 1,600 addresses, and fewer once so many were checked', async () => {
    await start({ lowered: { to: 1_200, afterChecked: 1_600 } });
    await expect(check(users(1_601))).rejects.toMatchObject({ kind: 'computation' });
    expect((await check(users(1_600))).wallets).toHaveLength(1_600);
    await expect(check(users(1_201))).rejects.toMatchObject({ kind: 'computation' });
    expect((await check(users(1_200))).wallets).toHaveLength(1_200);
    expect(node.stats()).toMatchObject({ scriptCalls: 4, tooLarge: 2, asked: 1_601 + 1_600 + 1_201 + 1_200, checked: 2_800 });
  });

  it('refuses a sixth script within a second, and none at the program\'s own pace', async () => {
    await start();
    const fast = connect();
    const answers = await Promise.allSettled(Array.from({ length: 6 }, () => check([user(1)], fast)));
    expect(answers.filter((answer) => answer.status === 'rejected').map((answer) => answer.reason as unknown)).toMatchObject([{ kind: 'rate-limit' }]);

    await node.stop();
    await start();
    const paced = connect({ ...FAST, scriptRps: 5 });
    await Promise.all(Array.from({ length: 11 }, () => check([user(1)], paced)));
    expect(node.stats()).toMatchObject({ scriptCalls: 11, refused: 0 });
  });

  it('tells what it was asked and does not know', async () => {
    await start();
    await expect(connect().script('access(all) fun main(): Int { return 1 }', [])).rejects.toMatchObject({ kind: 'data' });
    expect(await connect().account('0x1')).toBeNull();
    expect(node.stats().unknown).toEqual(['POST /v1/scripts with another script', 'GET /v1/accounts/0000000000000001']);
  });
});

describe('addressOfKey', () => {
  it('gives addresses that the emulator\'s chain can have, each key its own', () => {
    const addresses = users(2_000).map((each) => each.address);
    expect(addresses.every((address) => isAddressOf(address, 'emulator'))).toBe(true);
    expect(new Set(addresses).size).toBe(2_000);
  });
});
