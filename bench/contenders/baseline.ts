import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import pLimit from 'p-limit';
import { sendAndSeal } from '../../dev/chain.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import { parseAmount } from '../../src/flow/amount.js';
import { addressArg, amountArg, stringArg } from '../../src/flow/args.js';
import { buildTransaction, type KeyOfAccount } from '../../src/flow/buildTransaction.js';
import { loadCadence, type Cadence } from '../../src/flow/cadence.js';
import { readCreatedAccounts, readFee } from '../../src/flow/createAccounts.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import type { Network } from '../../src/flow/network.js';
import { createSigner } from '../../src/flow/sign.js';
import { listAllUsers } from './listAllUsers.js';

export interface BaselineOptions {
  readonly node: AccessNode;
  readonly network: Network;
  readonly supabase: { readonly url: string; readonly serviceRoleKey: string };
  /** The users without a wallet: all others that are listed are passed over. */
  readonly users: readonly string[];
  /** Its configuration is written below it. */
  readonly folder: string;
  /** 1, or 3 as its configuration says. */
  readonly workers: 1 | 3;
}

/** As the daemon's own defaults, in 10^-8 FLOW. */
const THRESHOLD = parseAmount('0.075');
const AMOUNT = parseAmount('0.1');

/** A wallet as this service keeps it: in memory here, in a table there. */
interface Wallet {
  readonly authId: string;
  readonly address: string;
  readonly privateKey: string;
}

export interface BaselineRun {
  /** Of each user, from the start of the pass to his wallet being whole, in milliseconds. */
  readonly readyMs: readonly number[];
  readonly transactions: number;
  readonly scripts: number;
  /** In 10^-8 FLOW. */
  readonly fees: bigint;
  readonly effort: number;
  readonly configBytes: number;
  readonly configMs: number;
}

const CREATE_ACCOUNT = `
transaction(publicKey: String) {
    prepare(payer: auth(BorrowValue) &Account) {
        let account = Account(payer: payer)
        account.keys.add(
            publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256),
            hashAlgorithm: HashAlgorithm.SHA3_256,
            weight: 1000.0
        )
    }
}`;

/**
 * One pass of the plain service: all users are listed, and each is served by himself. Account, vault, publication and funding are a transaction
 * each, waited for to its seal; both balances are asked of the chain by a script each, before and after; the configuration is written whole for
 * every wallet. A worker proposes and pays with a funder of its own, so that no two meet on a sequence number.
 */
export async function runBaseline(options: BaselineOptions): Promise<BaselineRun> {
  const { node, network } = options;
  const configPath = join(options.folder, 'baseline', 'flow-production.json');
  const cadence = loadCadence(network);
  const funders = network.funders.slice(0, options.workers).map((funder): KeyOfAccount => ({ address: funder.address, keyIndex: funder.keyIndexes[0] ?? 0, signer: funder.signer }));
  const idle = [...funders];
  const wallets: Wallet[] = [];
  const readyMs: number[] = [];
  const totals = { transactions: 0, scripts: 0, fees: 0n, effort: 0, configBytes: 0, configMs: 0 };

  const send = async (code: string, args: readonly FclArg[], roles: { proposer: KeyOfAccount; payer: KeyOfAccount; authorizer: KeyOfAccount }) => {
    const [account, reference] = await Promise.all([node.account(roles.proposer.address), node.latestSealedBlock()]);
    const sequenceNumber = account?.keys.find((key) => key.index === roles.proposer.keyIndex)?.sequenceNumber ?? 0;
    const transaction = await buildTransaction({ cadence: code, args, reference, proposer: { ...roles.proposer, sequenceNumber }, payer: roles.payer, authorizers: [roles.authorizer] });
    const { events } = await sendAndSeal(node, transaction);
    const fee = readFee(events);
    totals.transactions += 1;
    totals.fees += fee?.amount ?? 0n;
    totals.effort += fee?.executionEffort ?? 0;
    return events;
  };
  const ask = async (name: 'checkFlowBalance' | 'checkBaitBalance', address: string): Promise<bigint | null> => {
    totals.scripts += 1;
    const answer = await node.script(cadence.script(name), [addressArg(address)]);
    return typeof answer === 'string' ? parseAmount(answer) : null;
  };

  const serve = async (authId: string, began: number): Promise<void> => {
    const funder = idle.pop();
    if (funder === undefined) throw new Error('more workers than funders');
    try {
      const { privateKey, publicKey } = generateKeyPair();
      const asFunder = { proposer: funder, payer: funder, authorizer: funder };
      const [created] = readCreatedAccounts(await send(CREATE_ACCOUNT, [stringArg(publicKey)], asFunder));
      if (created === undefined) throw new Error('no account was made');
      const { address } = created;
      await provide({ address, privateKey, funder, cadence });
      wallets.push({ authId, address, privateKey });
      await writeConfig();
      readyMs.push(performance.now() - began);
    } finally {
      idle.push(funder);
    }
  };

  const provide = async ({ address, privateKey, funder, cadence }: { address: string; privateKey: string; funder: KeyOfAccount; cadence: Cadence }): Promise<void> => {
    const wallet: KeyOfAccount = { address, keyIndex: 0, signer: createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
    const asWallet = { proposer: wallet, payer: funder, authorizer: wallet };
    if ((await ask('checkBaitBalance', address)) === null) {
      await send(cadence.transaction('createAllVault'), [], asWallet);
      await send(cadence.transaction('publishBaitBalance'), [], asWallet);
    }
    if (((await ask('checkFlowBalance', address)) ?? 0n) < THRESHOLD) {
      await send(cadence.transaction('fundWallet'), [addressArg(address), amountArg(AMOUNT)], { proposer: funder, payer: funder, authorizer: funder });
    }
  };

  const writeConfig = async (): Promise<void> => {
    const began = performance.now();
    totals.configBytes += await writeWholeConfig(configPath, wallets);
    totals.configMs += performance.now() - began;
  };

  const began = performance.now();
  const limit = pLimit(options.workers);
  const waiting = new Set(options.users);
  const users = (await listAllUsers(options.supabase)).filter((authId) => waiting.has(authId));
  if (users.length !== waiting.size) throw new Error(`${users.length} of ${waiting.size} users were listed`);
  await Promise.all(users.map((authId) => limit(serve, authId, began)));
  return { readyMs, ...totals };
}

/** The whole file anew, in place; returns how many bytes were written. */
export async function writeWholeConfig(path: string, wallets: readonly Pick<Wallet, 'authId' | 'address'>[]): Promise<number> {
  const accounts = Object.fromEntries(
    wallets.map(({ authId, address }) => [authId, { address: address.slice(2), key: { type: 'file', location: `accounts/pkeys/${authId}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } }]),
  );
  const text = JSON.stringify({ accounts }, null, 2);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return Buffer.byteLength(text);
}
