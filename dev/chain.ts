import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../src/errors.js';
import { createLog, type Log } from '../src/log.js';
import { packagePath } from '../src/packagePath.js';
import { connectAccessNode, type AccessNode, type TransactionResult } from '../src/flow/accessNode.js';
import { parseAmount } from '../src/flow/amount.js';
import { amountArg, arrayArg, stringArg } from '../src/flow/args.js';
import { buildTransaction, type SignedTransaction } from '../src/flow/buildTransaction.js';
import { resolveImports } from '../src/flow/cadence.js';
import { readCreatedAccounts } from '../src/flow/createAccounts.js';
import { generateKeyPair } from '../src/flow/keys.js';
import { createLimiter } from '../src/flow/limiter.js';
import { createSigner } from '../src/flow/sign.js';
import { DEFAULT_TOKEN } from '../src/flow/tokens.js';
import { SERVICE_ADDRESS } from './emulator.js';

export interface ChainOptions {
  /** The emulator itself, not a proxy with limits. */
  readonly restUrl: string;
  readonly servicePrivateKey: string;
  /** Made if missing; gets flow.json and the key files. */
  readonly folder: string;
  /** Funding accounts. Default 9. */
  readonly funders?: number;
  /** Keys that each can propose with. Default 1. */
  readonly keysPerFunder?: number;
  /** For each, in 10^-8 FLOW. Default 100,000 FLOW. */
  readonly fundsEach?: bigint;
  readonly log?: Log;
}

/** Deploys the token's contract to the service account and makes the funding accounts: all in one transaction, one block. */
const PREPARE = `
import "FungibleToken"
import "FlowToken"

transaction(contractName: String, code: String, publicKeys: [String], keysEach: Int, funds: UFix64) {
    prepare(service: auth(AddContract, BorrowValue) &Account) {
        service.contracts.add(name: contractName, code: code.utf8)
        let vault = service.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        for publicKey in publicKeys {
            let account = Account(payer: service)
            var i = 0
            while i < keysEach {
                account.keys.add(
                    publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256),
                    hashAlgorithm: HashAlgorithm.SHA3_256,
                    weight: 1000.0
                )
                i = i + 1
            }
            account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.deposit(from: <- vault.withdraw(amount: funds))
        }
    }
}`;

const SEAL_LIMIT_MS = 60_000;
const POLL_MS = 50;

/**
 * Prepares a fresh emulator: the token's contract, funding accounts with FLOW, and a flow.json with key files of mode 0600, to be
 * used with FLOW_JSON=<folder>/flow.json and NETWORK=emulator. Throws an AppError when the chain refuses, as it does a second time.
 */
export async function prepareChain(options: ChainOptions): Promise<{ flowJson: string }> {
  const committed = JSON.parse(await readFile(packagePath('flow', 'flow.json'), 'utf8')) as CommittedFlowJson;
  const contracts = Object.fromEntries(Object.entries(committed.contracts).flatMap(([name, { aliases }]) => (aliases['emulator'] === undefined ? [] : [[name, aliases['emulator']]])));
  const keys = Array.from({ length: options.funders ?? 9 }, generateKeyPair);
  const keysEach = options.keysPerFunder ?? 1;
  const code = await readFile(packagePath('cadence', 'contracts', `${DEFAULT_TOKEN.contract}.cdc`), 'utf8');

  const limiter = createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 });
  const accessNode = connectAccessNode({ url: options.restUrl, limiter, timeoutMs: 10_000, log: options.log ?? createLog({ level: 'silent' }) });
  try {
    const service = { address: SERVICE_ADDRESS, keyIndex: 0, signer: createSigner({ privateKey: options.servicePrivateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
    const account = await accessNode.account(SERVICE_ADDRESS);
    const transaction = await buildTransaction({
      cadence: resolveImports(PREPARE, contracts, 'emulator'),
      args: [
        stringArg(DEFAULT_TOKEN.contract),
        stringArg(resolveImports(code, contracts, 'emulator')),
        arrayArg(keys.map((key) => stringArg(key.publicKey))),
        { type: 'Int', value: `${keysEach}` },
        amountArg(options.fundsEach ?? parseAmount('100000')),
      ],
      reference: await accessNode.latestSealedBlock(),
      proposer: { ...service, sequenceNumber: account?.keys[0]?.sequenceNumber ?? 0 },
      payer: service,
      authorizers: [service],
    });
    const { events } = await sendAndSeal(accessNode, transaction);
    const addressOf = new Map(readCreatedAccounts(events).map((created) => [created.publicKey, created.address]));
    const funders = keys.map((key, i) => ({ name: `funder-${i + 1}`, address: addressOf.get(key.publicKey) ?? '', privateKey: key.privateKey }));
    return { flowJson: await writeFiles(options.folder, committed, funders, keysEach) };
  } finally {
    accessNode.close();
  }
}

export interface CommittedFlowJson {
  readonly contracts: Record<string, { source: string; aliases: Record<string, string> }>;
}

/** Writes flow.json and the key files of funders, mode 0600. Gives the path of flow.json. */
export async function writeFiles(folder: string, committed: CommittedFlowJson, funders: readonly { name: string; address: string; privateKey: string }[], keysEach: number): Promise<string> {
  await mkdir(join(folder, 'keys'), { recursive: true, mode: 0o700 });
  for (const funder of funders) {
    const path = join(folder, 'keys', `${funder.name}.pkey`);
    await writeFile(path, funder.privateKey, { mode: 0o600 });
    // A file that was there keeps its mode when written.
    await chmod(path, 0o600);
  }
  const token = committed.contracts[DEFAULT_TOKEN.contract];
  const config = {
    ...committed,
    contracts: {
      ...committed.contracts,
      [DEFAULT_TOKEN.contract]: { source: packagePath('cadence', 'contracts', `${DEFAULT_TOKEN.contract}.cdc`), aliases: { ...token?.aliases, emulator: SERVICE_ADDRESS.slice(2) } },
    },
    accounts: Object.fromEntries(
      funders.map((funder) => [
        funder.name,
        {
          address: funder.address.slice(2),
          key: {
            type: 'file',
            location: `keys/${funder.name}.pkey`,
            signatureAlgorithm: 'ECDSA_P256',
            hashAlgorithm: 'SHA3_256',
            index: 0,
            ...(keysEach > 1 ? { indexes: Array.from({ length: keysEach }, (_, i) => i) } : {}),
          },
        },
      ]),
    ),
  };
  const path = join(folder, 'flow.json');
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}

/** Broadcasts a transaction and waits until it is sealed, for preparation and tests. Throws its failure. */
export async function sendAndSeal(accessNode: AccessNode, transaction: SignedTransaction): Promise<TransactionResult> {
  const result = await sendAndWait(accessNode, transaction);
  if (result.failed !== null) throw result.failed;
  return result;
}

/** The same, but a failure is given in the result. */
export async function sendAndWait(accessNode: AccessNode, transaction: SignedTransaction): Promise<TransactionResult> {
  const deadline = Date.now() + SEAL_LIMIT_MS;
  await broadcast(accessNode, transaction, deadline);
  while (Date.now() < deadline) {
    const result = await accessNode.result(transaction.id);
    if (result.status === 'sealed') return result;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new AppError('network', `transaction ${transaction.id} is not sealed after ${SEAL_LIMIT_MS / 1000} s`);
}

/**
 * Sends until the node has taken it. The emulator refuses while it executes a block ("pending block … is currently being
 * executed", 500), which on a loaded machine is often. The same bytes can be sent any number of times.
 */
export async function broadcast(accessNode: AccessNode, transaction: SignedTransaction, deadline = Date.now() + SEAL_LIMIT_MS): Promise<void> {
  for (;;) {
    try {
      return await accessNode.send(transaction);
    } catch (error) {
      if (!(error instanceof AppError) || error.kind !== 'network' || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
