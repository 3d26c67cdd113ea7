import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAccessNodeProxy, type AccessNodeProxy } from '../../dev/accessNodeProxy.js';
import { prepareChain, sendAndSeal, sendAndWait } from '../../dev/chain.js';
import { SERVICE_ADDRESS, startEmulator, type Emulator } from '../../dev/emulator.js';
import { createLog } from '../../src/log.js';
import { connectAccessNode, type AccessNode, type TransactionResult } from '../../src/flow/accessNode.js';
import { amountArg, arrayArg, stringArg } from '../../src/flow/args.js';
import { buildTransaction, type KeyOfAccount } from '../../src/flow/buildTransaction.js';
import { loadCadence, resolveImports, type Cadence } from '../../src/flow/cadence.js';
import { readCreatedAccounts, type Slot } from '../../src/flow/createAccounts.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { createLimiter, type Limiter } from '../../src/flow/limiter.js';
import { loadNetwork, type Funder, type Network } from '../../src/flow/network.js';
import { createSigner, type Signer } from '../../src/flow/sign.js';

/** A wallet whose key the test holds. */
export interface TestWallet extends KeyOfAccount {
  readonly publicKey: string;
}

/** A real emulator with funders, a proxy with the public limits before it, and the program's own client behind that. */
export interface TestChain {
  readonly emulator: Emulator;
  readonly proxy: AccessNodeProxy;
  readonly network: Network;
  readonly cadence: Cadence;
  readonly limiter: Limiter;
  readonly accessNode: AccessNode;
  readonly funder: Funder;
  readonly service: KeyOfAccount;
  /** The first funder's key and its sequence number, asked for each time. */
  slot(): Promise<Slot>;
  reference(): Promise<{ id: string }>;
  /** Runs a transaction with one signer who proposes and authorises, paid by the first funder; a failure is in the result. */
  run(code: string, args: readonly FclArg[], signer: KeyOfAccount): Promise<TransactionResult>;
  /** An account with a key and FLOW and nothing else. */
  makeBareWallet(): Promise<TestWallet>;
  /** Makes a client of the same proxy. */
  connect(options: { timeoutMs?: number; limiter?: Limiter; url?: string }): AccessNode;
  stop(): Promise<void>;
}

export const PUBLIC_RATES = { scriptRps: 5, transactionRps: 50, eventRps: 30, readRps: 100 };
export const P256 = { signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } as const;

const MAKE_BARE = `
import "FungibleToken"
import "FlowToken"
transaction(publicKey: String, amount: UFix64) {
    prepare(payer: auth(BorrowValue) &Account) {
        let account = Account(payer: payer)
        account.keys.add(publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256), hashAlgorithm: HashAlgorithm.SHA3_256, weight: 1000.0)
        let funds = payer.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.deposit(from: <- funds.withdraw(amount: amount))
    }
}`;

export async function startTestChain(options: { blockTimeMs?: number; keysPerFunder?: number } = {}): Promise<TestChain> {
  const folder = await mkdtemp(join(tmpdir(), 'chain-test-'));
  const emulator = await startEmulator({ blockTimeMs: options.blockTimeMs ?? 200 });
  const { flowJson } = await prepareChain({ ...emulator, folder, funders: 2, keysPerFunder: options.keysPerFunder ?? 1 });
  const proxy = await startAccessNodeProxy({ target: emulator.restUrl });
  const network = await loadNetwork({ flowJsonPath: flowJson, network: 'emulator', env: {} });
  const limiter = createLimiter(PUBLIC_RATES);
  const opened: AccessNode[] = [];
  const connect: TestChain['connect'] = (o) => {
    const node = connectAccessNode({ url: o.url ?? proxy.url, limiter: o.limiter ?? limiter, timeoutMs: o.timeoutMs ?? 10_000, log: createLog({ level: 'silent' }) });
    opened.push(node);
    return node;
  };
  const accessNode = connect({});
  const funder = network.funders[0]!;
  const payer = { address: funder.address, keyIndex: 0, signer: funder.signer };
  const reference = async (): Promise<{ id: string }> => accessNode.latestSealedBlock();
  const sequenceOf = async (key: KeyOfAccount): Promise<number> => (await accessNode.account(key.address))?.keys[key.keyIndex]?.sequenceNumber ?? 0;

  const build = async (code: string, args: readonly FclArg[], signer: KeyOfAccount): ReturnType<typeof buildTransaction> =>
    buildTransaction({
      cadence: resolveImports(code, network.contracts, 'emulator'),
      args,
      reference: await reference(),
      proposer: { ...signer, sequenceNumber: await sequenceOf(signer) },
      payer,
      authorizers: [signer],
    });

  return {
    emulator,
    proxy,
    network,
    cadence: loadCadence(network),
    limiter,
    accessNode,
    funder,
    service: { address: SERVICE_ADDRESS, keyIndex: 0, signer: createSigner({ privateKey: emulator.servicePrivateKey, ...P256 }) },
    slot: async () => ({ address: payer.address, keyIndex: 0, sequenceNumber: await sequenceOf(payer) }),
    reference,
    run: async (code, args, signer) => sendAndWait(accessNode, await build(code, args, signer)),
    async makeBareWallet() {
      const pair = generateKeyPair();
      const { events } = await sendAndSeal(accessNode, await build(MAKE_BARE, [stringArg(pair.publicKey), amountArg(100_000_000n)], payer));
      const address = readCreatedAccounts(events)[0]!.address;
      return { address, keyIndex: 0, publicKey: pair.publicKey, signer: createSigner({ privateKey: pair.privateKey, ...P256 }) };
    },
    connect,
    async stop() {
      for (const node of opened) node.close();
      await proxy.stop();
      await emulator.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A signer of a key that no account has. */
export function strangeSigner(): Signer {
  return createSigner({ privateKey: generateKeyPair().privateKey, ...P256 });
}

export function stringsArg(texts: readonly string[]): FclArg {
  return arrayArg(texts.map(stringArg));
}

/** Whether a process is there; one that has ended and was not waited for counts as gone. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
