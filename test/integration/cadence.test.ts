import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendAndSeal, sendAndWait } from '../../dev/chain.js';
import { buildAddKeys, readAddedKeys } from '../../src/flow/addKeys.js';
import { parseAmount } from '../../src/flow/amount.js';
import { addressArg, amountArg, arrayArg, stringArg } from '../../src/flow/args.js';
import { MAX_COMPUTE } from '../../src/flow/buildTransaction.js';
import { checkKeys } from '../../src/flow/checkKeys.js';
import { checkWallets, type CheckedWallet, type WalletToCheck } from '../../src/flow/checkWallets.js';
import { buildCreateAccounts, readCreatedAccounts, readFee, type CreatedAccount } from '../../src/flow/createAccounts.js';
import { buildFundWallets, readDeposits } from '../../src/flow/fundWallets.js';
import type { TransactionResult } from '../../src/flow/accessNode.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { generateKeyPair, publicKeyOf } from '../../src/flow/keys.js';
import { readBalances } from '../../src/flow/readBalances.js';
import { createSigner } from '../../src/flow/sign.js';
import { packagePath } from '../../src/packagePath.js';
import { P256, startTestChain, stringsArg, type TestChain, type TestWallet } from './chainParts.js';

/** A receiver that takes the FLOW and more, and a thing to put where a vault should be. */
const HOSTILE = `
import "FungibleToken"
access(all) contract Hostile {
    access(all) resource Trap: FungibleToken.Receiver {
        access(all) fun deposit(from: @{FungibleToken.Vault}) { destroy from; panic("trapped") }
        access(all) view fun getSupportedVaultTypes(): {Type: Bool} { return {} }
        access(all) view fun isSupportedVaultType(type: Type): Bool { return true }
    }
    access(all) fun make(): @Trap { return <- create Trap() }
}`;

let chain: TestChain;
const executed = new Set<string>();
beforeAll(async () => void (chain = await startTestChain({ blockTimeMs: 0 })));
afterAll(async () => chain?.stop());

const payer = (): { address: string; keyIndex: number; signer: TestWallet['signer'] } => ({ address: chain.funder.address, keyIndex: 0, signer: chain.funder.signer });

/** Runs one of the package's transactions, signed by the wallet or else by the funder. */
async function run(name: string, args: readonly FclArg[], signer: TestWallet | undefined = undefined): Promise<TransactionResult> {
  executed.add(`transactions/${name}`);
  return chain.run(chain.cadence.transaction(name), args, signer ?? payer());
}

async function ask(name: string, args: readonly FclArg[]): Promise<unknown> {
  executed.add(`scripts/${name}`);
  return chain.accessNode.script(chain.cadence.script(name), args);
}

async function check(...wallets: WalletToCheck[]): Promise<readonly CheckedWallet[]> {
  executed.add('scripts/checkWallets');
  return (await checkWallets({ accessNode: chain.accessNode, cadence: chain.cadence, wallets })).wallets;
}

async function create(publicKeys: readonly string[], fundingAmount = 10_000_000n): Promise<TransactionResult> {
  executed.add('transactions/createWallets');
  const transaction = await buildCreateAccounts({ network: chain.network, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference(), publicKeys, fundingAmount });
  return sendAndWait(chain.accessNode, transaction);
}

/** A whole wallet that the test can sign for. */
async function makeWallet(): Promise<TestWallet & CreatedAccount> {
  const pair = generateKeyPair();
  const created = readCreatedAccounts((await create([pair.publicKey])).events)[0]!;
  return { ...created, keyIndex: 0, signer: createSigner({ privateKey: pair.privateKey, ...P256 }) };
}

/** The wallet itself does something to itself. */
async function spoil(wallet: TestWallet, body: string, imports = ''): Promise<void> {
  const result = await chain.run(`import "FungibleToken"\n${imports}\ntransaction { prepare(wallet: auth(Storage, Capabilities, Keys) &Account) { ${body} } }`, [], wallet);
  if (result.failed !== null) throw result.failed;
}

async function deployHostile(): Promise<string> {
  const code = HOSTILE.replace('"FungibleToken"', `FungibleToken from ${chain.network.contracts['FungibleToken'] ?? ''}`);
  const result = await chain.run('transaction(code: String) { prepare(a: auth(AddContract) &Account) { a.contracts.add(name: "Hostile", code: code.utf8) } }', [stringArg(code)], chain.service);
  if (result.failed !== null) throw result.failed;
  return `import Hostile from ${chain.service.address}`;
}

async function removeHostile(): Promise<void> {
  const result = await chain.run('transaction { prepare(a: auth(RemoveContract) &Account) { a.contracts.remove(name: "Hostile") } }', [], chain.service);
  if (result.failed !== null) throw result.failed;
}

const SET_TRAP = `
  wallet.storage.save(<- Hostile.make(), to: /storage/trap)
  wallet.capabilities.unpublish(/public/flowTokenReceiver)
  wallet.capabilities.publish(wallet.capabilities.storage.issue<&{FungibleToken.Receiver}>(/storage/trap), at: /public/flowTokenReceiver)`;

const keyOf = (wallet: TestWallet): WalletToCheck => ({ address: wallet.address, publicKey: wallet.publicKey });
const WHOLE = { exists: true, keyPresent: true, flowReceiver: true, vault: true, receiverCapability: true, balanceCapability: true };
const NOBODY = '0xd47e2a3f590de72e';

describe('createWallets', () => {
  it('makes 25 whole wallets in one transaction, found by public key, with computation to spare', async () => {
    const keys = Array.from({ length: 25 }, () => generateKeyPair().publicKey);
    const result = await create(keys);
    expect(result.failed).toBeNull();
    const created = readCreatedAccounts(result.events);
    expect(created.map((account) => account.publicKey).sort()).toEqual([...keys].sort());
    expect(new Set(created.map((account) => account.address)).size).toBe(25);
    expect(readFee(result.events)!.executionEffort).toBeLessThan(MAX_COMPUTE * 0.9);
    const checked = await check(...created);
    // 0.1 and the minimum balance that every new account gets.
    for (const wallet of checked) expect(wallet).toMatchObject({ ...WHOLE, flowBalance: parseAmount('0.101') });
    expect(readDeposits(result.events, chain.network).filter((deposit) => deposit.amount === 10_000_000n).map((deposit) => deposit.address).sort()).toEqual(created.map((account) => account.address).sort());
  });

  it('without funding gives what the chain itself demands, and no more', async () => {
    const { publicKey } = generateKeyPair();
    const [created] = readCreatedAccounts((await create([publicKey], 0n)).events);
    expect((await check(created!))[0]!.flowBalance).toBe(parseAmount('0.001'));
  });

  it.each<[string, () => readonly FclArg[], string]>([
    ['no keys', () => [stringsArg([]), amountArg(1n)], 'no public keys'],
    ['26 keys', () => [stringsArg(Array.from({ length: 26 }, () => generateKeyPair().publicKey)), amountArg(1n)], 'more than 25'],
    ['a key that is no hex', () => [stringsArg(['hello']), amountArg(1n)], 'hex'],
    ['a key that is too short', () => [stringsArg(['abcd']), amountArg(1n)], 'public key'],
    ['a key that is no point of the curve', () => [stringsArg(['11'.repeat(64)]), amountArg(1n)], 'public key'],
    ['one bad key among good ones', () => [stringsArg([generateKeyPair().publicKey, 'ff'.repeat(64)]), amountArg(1n)], 'public key'],
  ])('with %s makes nothing', async (_, args, says) => {
    const result = await run('createWallets', args());
    expect(result.failed).toMatchObject({ kind: 'chain-state', message: expect.stringMatching(new RegExp(says, 'i')) as string });
    expect(readCreatedAccounts(result.events)).toEqual([]);
  });

  it('with more FLOW than the payer has fails as `funds`', async () => {
    const result = await create([generateKeyPair().publicKey], parseAmount('90000000000'));
    expect(result.failed?.kind).toBe('funds');
  });

  it('is not even built for keys that are none, doubles, or an address of another network', async () => {
    const { publicKey } = generateKeyPair();
    for (const keys of [[], ['abcd'], [publicKey, publicKey], [publicKey.toUpperCase()], Array.from({ length: 26 }, () => generateKeyPair().publicKey)]) {
      await expect(create(keys)).rejects.toMatchObject({ kind: 'data' });
    }
    const options = { network: { name: 'mainnet' } as const, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference(), publicKeys: [publicKey], fundingAmount: 0n };
    await expect(buildCreateAccounts(options)).rejects.toMatchObject({ kind: 'data', where: 'slot' });
  });
});

describe('createAllVault', () => {
  it('gives a bare account vault and capabilities; a second time changes nothing', async () => {
    const wallet = await chain.makeBareWallet();
    expect(await check(keyOf(wallet))).toMatchObject([{ ...WHOLE, vault: false, receiverCapability: false, balanceCapability: false }]);
    expect((await run('createAllVault', [], wallet)).failed).toBeNull();
    expect(await check(keyOf(wallet))).toMatchObject([WHOLE]);
    const again = await run('createAllVault', [], wallet);
    expect(again.failed).toBeNull();
    expect(again.events.filter((event) => event.type.startsWith('flow.'))).toEqual([]);
  });

  it.each([
    ['a missing receiver capability', 'wallet.capabilities.unpublish(/public/baitCoinReceiver)', { receiverCapability: false }],
    ['a missing balance capability', 'wallet.capabilities.unpublish(/public/baitCoinVault)', { balanceCapability: false }],
    [
      'a receiver capability that leads elsewhere',
      'wallet.capabilities.unpublish(/public/baitCoinReceiver); wallet.capabilities.publish(wallet.capabilities.storage.issue<&{FungibleToken.Receiver}>(/storage/flowTokenVault), at: /public/baitCoinReceiver)',
      { receiverCapability: false },
    ],
    ['a revoked capability', 'for c in wallet.capabilities.storage.getControllers(forPath: /storage/baitCoinVault) { c.delete() }', { receiverCapability: false, balanceCapability: false }],
  ])('repairs %s and leaves the vault alone', async (_, body, lacks) => {
    const wallet = await makeWallet();
    await spoil(wallet, body);
    expect(await check(keyOf(wallet))).toMatchObject([{ ...WHOLE, ...lacks }]);
    expect((await run('createAllVault', [], wallet)).failed).toBeNull();
    expect(await check(keyOf(wallet))).toMatchObject([WHOLE]);
    expect(await ask('checkBaitBalance', [addressArg(wallet.address)])).toBe('0.00000000');
  });

  it('never moves what lies at the vault\'s place, though its contract is gone', async () => {
    const wallet = await chain.makeBareWallet();
    await spoil(wallet, 'wallet.storage.save(<- Hostile.make(), to: /storage/baitCoinVault)', await deployHostile());
    await removeHostile();
    expect((await run('createAllVault', [], wallet)).failed).toMatchObject({ kind: 'chain-state', message: expect.stringContaining('something else is stored') as string });
    expect((await run('publishBaitBalance', [], wallet)).failed?.kind).toBe('chain-state');
    expect(await check(keyOf(wallet))).toMatchObject([{ ...WHOLE, vault: false, receiverCapability: false, balanceCapability: false }]);
  });
});

describe('publishBaitBalance', () => {
  it('publishes the balance where it is not readable; a second time changes nothing', async () => {
    const wallet = await makeWallet();
    await spoil(wallet, 'wallet.capabilities.unpublish(/public/baitCoinVault)');
    expect(await ask('checkBaitBalance', [addressArg(wallet.address)])).toBeNull();
    expect((await run('publishBaitBalance', [], wallet)).failed).toBeNull();
    expect(await ask('checkBaitBalance', [addressArg(wallet.address)])).toBe('0.00000000');
    expect((await run('publishBaitBalance', [], wallet)).events.filter((event) => event.type.startsWith('flow.'))).toEqual([]);
  });

  it('without a vault fails', async () => {
    expect((await run('publishBaitBalance', [], await chain.makeBareWallet())).failed).toMatchObject({ kind: 'chain-state', message: expect.stringContaining('no BaitCoin vault') as string });
  });
});

describe('fundWallet', () => {
  it('sends FLOW to one wallet', async () => {
    const wallet = await makeWallet();
    const result = await run('fundWallet', [addressArg(wallet.address), amountArg(5_000_000n)]);
    expect(readDeposits(result.events, chain.network)).toContainEqual({ address: wallet.address, amount: 5_000_000n });
    expect(await ask('checkFlowBalance', [addressArg(wallet.address)])).toBe('0.15100000');
  });

  it.each<[string, () => readonly FclArg[], RegExp]>([
    ['a zero amount', () => [addressArg(chain.funder.address), amountArg(0n)], /greater than zero/],
    ['nobody\'s address', () => [addressArg(NOBODY), amountArg(1n)], /no FLOW receiver/],
    ['a malformed address', () => [{ type: 'Address', value: '0xzz' }, amountArg(1n)], /address|argument/i],
    ['a negative amount', () => [addressArg(chain.funder.address), { type: 'UFix64', value: '-1.0' }], /UFix64|argument/i],
    ['a missing argument', () => [addressArg(chain.funder.address)], /parameter|argument/i],
  ])('with %s sends nothing', async (_, args, says) => {
    const result = await run('fundWallet', args()).catch((error: unknown) => ({ failed: error, events: [] }));
    expect(result.failed).toMatchObject({ message: expect.stringMatching(says) as string });
    expect(readDeposits(result.events, chain.network).filter((deposit) => deposit.amount === 1n)).toEqual([]);
  });
});

describe('fundWallets', () => {
  async function fund(deposits: readonly { address: string; amount: bigint }[]): Promise<TransactionResult> {
    executed.add('transactions/fundWallets');
    return sendAndSeal(chain.accessNode, await buildFundWallets({ network: chain.network, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference(), deposits }));
  }

  it('pays who can be paid, and passes over missing and hostile receivers without calling them', async () => {
    const [good, trapped, deaf] = [await makeWallet(), await makeWallet(), await makeWallet()];
    await spoil(trapped, SET_TRAP, await deployHostile());
    await spoil(deaf, 'wallet.capabilities.unpublish(/public/flowTokenReceiver)');
    expect((await run('fundWallet', [addressArg(trapped.address), amountArg(1n)])).failed).toMatchObject({ message: expect.stringContaining('not a FLOW vault') as string });

    const deposits = [trapped, good, deaf].map((wallet, i) => ({ address: wallet.address, amount: BigInt(1_000 + i) }));
    const result = await fund([...deposits, { address: NOBODY, amount: 7n }]);
    const meant = new Set([...deposits.map((deposit) => deposit.address), NOBODY]);
    expect(readDeposits(result.events, chain.network).filter((deposit) => meant.has(deposit.address))).toEqual([{ address: good.address, amount: 1_001n }]);
    expect(await check(keyOf(trapped), keyOf(good), keyOf(deaf))).toMatchObject([{ flowReceiver: false, flowBalance: 10_100_000n }, { flowReceiver: true, flowBalance: 10_101_001n }, { flowReceiver: false, flowBalance: 10_100_000n }]);

    // A receiver whose contract is gone fails the whole batch, so the check must show it without failing too.
    await removeHostile();
    expect(await check(keyOf(good), keyOf(trapped))).toMatchObject([WHOLE, { ...WHOLE, flowReceiver: false }]);
  });

  it('pays 25 wallets in one transaction', async () => {
    const created = readCreatedAccounts((await create(Array.from({ length: 25 }, () => generateKeyPair().publicKey))).events);
    const result = await fund(created.map((account) => ({ address: account.address, amount: 3n })));
    expect(readDeposits(result.events, chain.network).filter((deposit) => deposit.amount === 3n)).toHaveLength(25);
  });

  it.each<[string, () => readonly FclArg[], RegExp]>([
    ['empty arrays', () => [arrayArg([]), arrayArg([])], /no addresses/],
    ['fewer amounts than addresses', () => [arrayArg([addressArg(NOBODY)]), arrayArg([])], /as many amounts/],
    ['a zero amount', () => [arrayArg([addressArg(NOBODY)]), arrayArg([amountArg(0n)])], /greater than zero/],
  ])('with %s fails', async (_, args, says) => {
    expect((await run('fundWallets', args())).failed).toMatchObject({ kind: 'chain-state', message: expect.stringMatching(says) as string });
  });

  it('is not even built for nobody, for nothing, or for the same wallet twice', async () => {
    await expect(fund([])).rejects.toMatchObject({ kind: 'internal' });
    await expect(fund([{ address: NOBODY, amount: 0n }])).rejects.toMatchObject({ kind: 'internal' });
    await expect(fund([{ address: NOBODY, amount: 1n }, { address: NOBODY.toUpperCase().replace('0X', ''), amount: 1n }])).rejects.toMatchObject({ kind: 'internal' });
  });
});

describe('addKeys', () => {
  const int = (value: number): FclArg => ({ type: 'Int', value: `${value}` });
  const keysOf = async (address: string) => (await chain.accessNode.account(address))!.keys;

  async function build(count: number, network: 'emulator' | 'mainnet' = 'emulator'): ReturnType<typeof buildAddKeys> {
    executed.add('transactions/addKeys');
    return buildAddKeys({ network: { name: network }, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference(), count });
  }

  it('adds 100 copies of the key that signs, with computation to spare, and each of them signs', async () => {
    const before = await keysOf(chain.funder.address);
    const result = await sendAndSeal(chain.accessNode, await build(100));
    const after = await keysOf(chain.funder.address);
    const indexes = readAddedKeys(result.events, chain.funder.address);
    expect(indexes).toEqual(after.slice(before.length).map((key) => key.index));
    expect(indexes).toHaveLength(100);
    const { publicKey, signatureAlgorithm, hashAlgorithm, weight, revoked } = before[0]!;
    for (const key of after) expect(key).toMatchObject({ publicKey, signatureAlgorithm, hashAlgorithm, weight, revoked });
    expect(readFee(result.events)!.executionEffort).toBeLessThan(MAX_COMPUTE / 5);
    expect((await run('addKeys', [int(0), int(1)], { ...payer(), keyIndex: indexes[99]!, publicKey })).failed).toBeNull();
    expect(readAddedKeys(result.events, NOBODY), 'another account\'s keys').toEqual([]);
  });

  it('keeps the algorithms of a key that is none of the default', async () => {
    const { privateKey } = generateKeyPair();
    const algorithms = { signatureAlgorithm: 'ECDSA_secp256k1', hashAlgorithm: 'SHA2_256' } as const;
    const publicKey = publicKeyOf(privateKey, 'ECDSA_secp256k1');
    const made = await chain.run(
      `transaction(publicKey: String) { prepare(payer: auth(BorrowValue) &Account) { Account(payer: payer).keys.add(
        publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_secp256k1), hashAlgorithm: HashAlgorithm.SHA2_256, weight: 1000.0) } }`,
      [stringArg(publicKey)],
      payer(),
    );
    const { address } = readCreatedAccounts(made.events)[0]!;
    const owner = { address, keyIndex: 0, publicKey, signer: createSigner({ privateKey, ...algorithms }) };
    expect(readAddedKeys((await run('addKeys', [int(0), int(2)], owner)).events, address)).toEqual([1, 2]);
    expect(await keysOf(address)).toMatchObject([0, 1, 2].map((index) => ({ index, publicKey, weight: 1000, ...algorithms })));
    expect((await run('addKeys', [int(2), int(1)], { ...owner, keyIndex: 2 })).failed).toBeNull();
  });

  it.each<[string, () => readonly FclArg[], RegExp]>([
    ['a count of zero', () => [int(0), int(0)], /greater than zero/],
    ['a negative count', () => [int(0), int(-1)], /greater than zero/],
    ['101 keys', () => [int(0), int(101)], /more than 100/],
    ['a key that the account has not', () => [int(9_999), int(1)], /no key 9999/],
    ['a negative index', () => [int(-1), int(1)], /overflow|no key -1/],
    ['a missing argument', () => [int(0)], /parameter|argument/i],
  ])('with %s adds nothing', async (_, args, says) => {
    const before = await keysOf(chain.funder.address);
    const result = await run('addKeys', args()).catch((error: unknown) => ({ failed: error, events: [] }));
    expect(result.failed).toMatchObject({ message: expect.stringMatching(says) as string });
    expect(await keysOf(chain.funder.address)).toHaveLength(before.length);
  });

  it('copies no revoked key', async () => {
    const wallet = await makeWallet();
    expect((await run('addKeys', [int(0), int(1)], wallet)).failed).toBeNull();
    await spoil(wallet, 'wallet.keys.revoke(keyIndex: 1)');
    expect((await run('addKeys', [int(1), int(1)], wallet)).failed).toMatchObject({ message: expect.stringContaining('is revoked: 1') as string });
    expect(await keysOf(wallet.address)).toHaveLength(2);
  });

  it('is not even built for a count out of range or an address of another network', async () => {
    for (const count of [0, -1, 101, 1.5, Number.NaN]) await expect(build(count)).rejects.toMatchObject({ kind: 'internal' });
    await expect(build(1, 'mainnet')).rejects.toMatchObject({ kind: 'data', where: 'slot' });
  });
});

describe('checkWallets', () => {
  it('answers in the order of the question, for strangers too, with the height it looked at', async () => {
    const wallet = await makeWallet();
    const other = generateKeyPair().publicKey;
    const before = await chain.accessNode.latestSealedBlock();
    const { height, wallets } = await checkWallets({
      accessNode: chain.accessNode,
      cadence: chain.cadence,
      wallets: [{ address: NOBODY, publicKey: other }, keyOf(wallet), { address: '0x1', publicKey: other }, { ...keyOf(wallet), publicKey: other }, { ...keyOf(wallet), publicKey: wallet.publicKey.toUpperCase() }],
    });
    expect(height).toBeGreaterThanOrEqual(before.height);
    const nothing = { exists: false, keyPresent: false, flowBalance: 0n, flowReceiver: false, vault: false, receiverCapability: false, balanceCapability: false };
    expect(wallets).toMatchObject([nothing, WHOLE, { ...nothing, address: '0x0000000000000001' }, { ...WHOLE, keyPresent: false }, WHOLE]);
  });

  it('sees a revoked key, and a key that stands second', async () => {
    const wallet = await makeWallet();
    const second = generateKeyPair();
    await spoil(wallet, `wallet.keys.add(publicKey: PublicKey(publicKey: "${second.publicKey}".decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256), hashAlgorithm: HashAlgorithm.SHA3_256, weight: 1000.0)`);
    expect(await check(keyOf(wallet), { ...keyOf(wallet), publicKey: second.publicKey })).toMatchObject([{ keyPresent: true }, { keyPresent: true }]);
    await spoil(wallet, 'wallet.keys.revoke(keyIndex: 0)');
    expect(await check(keyOf(wallet), { ...keyOf(wallet), publicKey: second.publicKey })).toMatchObject([{ exists: true, keyPresent: false }, { keyPresent: true }]);
  });

  it('tells who has a key from who signs with it alone, as this service signs', async () => {
    executed.add('scripts/checkKeys');
    const [wallet, revoked] = [await makeWallet(), await makeWallet()];
    const weak = generateKeyPair();
    await spoil(wallet, `wallet.keys.add(publicKey: PublicKey(publicKey: "${weak.publicKey}".decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256), hashAlgorithm: HashAlgorithm.SHA3_256, weight: 999.0)`);
    await spoil(revoked, 'wallet.keys.revoke(keyIndex: 0)');
    const wallets = [keyOf(wallet), { ...keyOf(wallet), publicKey: weak.publicKey }, keyOf(revoked), { ...keyOf(wallet), publicKey: revoked.publicKey }, { ...keyOf(wallet), address: NOBODY }];
    expect(await checkKeys({ accessNode: chain.accessNode, cadence: chain.cadence, wallets })).toEqual(['signs', 'cannot sign', 'cannot sign', 'other keys', 'no account']);
  });

  it('gives balances of one block, 0 where there is no account', async () => {
    executed.add('scripts/readBalances');
    const wallet = await makeWallet();
    const { height } = await chain.accessNode.latestSealedBlock();
    const now = await readBalances(chain.accessNode, chain.cadence, [wallet.address, NOBODY]);
    expect(now.height).toBeGreaterThanOrEqual(height);
    // 0.1 FLOW and the account's own 0.001.
    expect(now.balances).toEqual([10_100_000n, 0n]);
    await run('fundWallet', [addressArg(wallet.address), amountArg(1n)]);
    expect((await readBalances(chain.accessNode, chain.cadence, [wallet.address])).balances).toEqual([10_100_001n]);
    expect((await readBalances(chain.accessNode, chain.cadence, [wallet.address], now.height)).balances).toEqual([10_100_000n]);
  });

  it('reads FLOW from the vault itself: an owner who publishes the balance of another vault does not look poor', async () => {
    const wallet = await makeWallet();
    await spoil(
      wallet,
      `let vault = wallet.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
       wallet.storage.save(<- vault.withdraw(amount: 0.01), to: /storage/small)
       wallet.capabilities.unpublish(/public/flowTokenBalance)
       wallet.capabilities.publish(wallet.capabilities.storage.issue<&FlowToken.Vault>(/storage/small), at: /public/flowTokenBalance)`,
      'import "FlowToken"',
    );
    const published = await chain.accessNode.script(
      `import FlowToken from ${chain.network.contracts['FlowToken'] ?? ''}\naccess(all) fun main(a: Address): UFix64 { return getAccount(a).capabilities.borrow<&FlowToken.Vault>(/public/flowTokenBalance)!.balance }`,
      [addressArg(wallet.address)],
    );
    expect(published).toBe('0.01000000');
    expect((await check(keyOf(wallet)))[0]!.flowBalance).toBe(9_100_000n);
    expect(await ask('checkFlowBalance', [addressArg(wallet.address)])).toBe('0.09100000');
  });

  it('looks at nobody when asked about nobody, and refuses lists of different lengths', async () => {
    expect(await check()).toEqual([]);
    await expect(ask('checkWallets', [arrayArg([addressArg(NOBODY)]), arrayArg([])])).rejects.toMatchObject({ kind: 'chain-state', message: expect.stringContaining('as many public keys') as string });
    await expect(ask('checkWallets', [arrayArg([{ type: 'Address', value: 'alice' }]), stringsArg(['x'])])).rejects.toMatchObject({ kind: expect.stringMatching(/internal|chain-state/) as string });
  });

  it('takes 1,000 wallets, and says `computation` for too many', async () => {
    const wallet = await makeWallet();
    const accessNode = chain.connect({ timeoutMs: 60_000 });
    const checkMany = async (count: number): Promise<unknown[]> => [...(await checkWallets({ accessNode, cadence: chain.cadence, wallets: Array.from({ length: count }, () => keyOf(wallet)) })).wallets];
    expect(await checkMany(1_000)).toHaveLength(1_000);
    await expect(checkMany(6_000)).rejects.toMatchObject({ kind: 'computation' });
  });
});

describe('balance scripts', () => {
  it('give null where there is nothing, and refuse what is no address', async () => {
    for (const name of ['checkFlowBalance', 'checkBaitBalance']) {
      expect(await ask(name, [addressArg(NOBODY)])).toBeNull();
      await expect(ask(name, [{ type: 'Address', value: '0xzz' }])).rejects.toMatchObject({ name: 'AppError' });
      await expect(ask(name, [])).rejects.toMatchObject({ name: 'AppError' });
    }
  });
});

describe('BaitCoin', () => {
  const MINT = `
    import "FungibleToken"
    import "BaitCoin"
    transaction(to: Address, amount: UFix64) {
      prepare(owner: auth(BorrowValue) &Account) {
        let minter = owner.storage.borrow<&BaitCoin.Minter>(from: /storage/baitCoinMinter) ?? panic("no minter")
        getAccount(to).capabilities.borrow<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)!.deposit(from: <- minter.mint(amount: amount))
      }
    }`;

  it('is minted by its owner alone, arrives through the published receiver, and adds up', async () => {
    executed.add('contracts/BaitCoin');
    const wallet = await makeWallet();
    const args = [addressArg(wallet.address), amountArg(250_000_000n)];
    expect((await chain.run(MINT, args, chain.service)).failed).toBeNull();
    expect(await ask('checkBaitBalance', [addressArg(wallet.address)])).toBe('2.50000000');
    expect(await chain.accessNode.script(`import BaitCoin from ${chain.network.contracts['BaitCoin'] ?? ''}\naccess(all) fun main(): UFix64 { return BaitCoin.totalSupply }`, [])).toBe('2.50000000');
    expect((await chain.run(MINT, args, wallet)).failed).toMatchObject({ message: expect.stringContaining('no minter') as string });
    expect((await chain.run(MINT, [args[0]!, amountArg(0n)], chain.service)).failed).toMatchObject({ message: expect.stringContaining('greater than zero') as string });
  });

  it('moves between wallets, cannot be overdrawn, takes no other token, and burning lowers the supply', async () => {
    const [from, to] = [await makeWallet(), await makeWallet()];
    await chain.run(MINT, [addressArg(from.address), amountArg(300_000_000n)], chain.service);
    const send = (amount: string): Promise<TransactionResult> =>
      chain.run(
        `import "FungibleToken"\nimport "BaitCoin"\ntransaction(to: Address) { prepare(wallet: auth(BorrowValue) &Account) {
          let vault = wallet.storage.borrow<auth(FungibleToken.Withdraw) &BaitCoin.Vault>(from: /storage/baitCoinVault)!
          getAccount(to).capabilities.borrow<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)!.deposit(from: <- vault.withdraw(amount: ${amount})) } }`,
        [addressArg(to.address)],
        from,
      );
    expect((await send('1.0')).failed).toBeNull();
    expect((await send('2.1')).failed?.kind).toBe('funds');
    expect(await ask('checkBaitBalance', [addressArg(to.address)])).toBe('1.00000000');
    const wrongToken = await chain.run(
      `import "FungibleToken"\nimport "FlowToken"\ntransaction(to: Address) { prepare(wallet: auth(BorrowValue) &Account) {
        let vault = wallet.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        getAccount(to).capabilities.borrow<&{FungibleToken.Receiver}>(/public/baitCoinReceiver)!.deposit(from: <- vault.withdraw(amount: 0.01)) } }`,
      [addressArg(to.address)],
      from,
    );
    expect(wrongToken.failed?.kind).toBe('chain-state');
  });

  it('publishes nothing of its owner\'s', async () => {
    const paths = await chain.accessNode.script(
      `access(all) fun main(a: Address): [String] { let found: [String] = []; getAuthAccount<auth(Storage) &Account>(a).storage.forEachPublic(fun (path: PublicPath, type: Type): Bool { found.append(path.toString()); return true }); return found }`,
      [addressArg(chain.service.address)],
    );
    expect((paths as string[]).filter((path) => /bait/i.test(path))).toEqual([]);
  });
});

it('every .cdc file of the package has been executed', () => {
  const files = ['contracts', 'scripts', 'transactions'].flatMap((kind) => readdirSync(packagePath('cadence', kind)).map((file) => `${kind}/${file.replace(/\.cdc$/, '')}`));
  expect([...executed].sort()).toEqual(files.sort());
});
