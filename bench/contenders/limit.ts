import { performance } from 'node:perf_hooks';
import { sendAndSeal } from '../../dev/chain.js';
import { AppError } from '../../src/errors.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import type { SignedTransaction } from '../../src/flow/buildTransaction.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { buildCreateAccounts, MAX_ACCOUNTS_PER_TRANSACTION, readCreatedAccounts } from '../../src/flow/createAccounts.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import type { Funder, Network } from '../../src/flow/network.js';

export interface LimitOptions {
  readonly node: AccessNode;
  readonly network: Network;
  /** Rounded up to full transactions. */
  readonly accounts: number;
  readonly fundingAmount: bigint;
}

interface Lane {
  readonly transactions: SignedTransaction[];
}

/**
 * What the slots can carry at most: transactions of 25 whole accounts, signed beforehand, on each funder's key one after another, one unsealed
 * each. No journal, no keys kept, nobody served. `seconds` is from the first broadcast to the last seal.
 */
export async function measureLimit({ node, network, accounts, fundingAmount }: LimitOptions): Promise<{ readonly accounts: number; readonly seconds: number }> {
  const count = Math.ceil(accounts / MAX_ACCOUNTS_PER_TRANSACTION);
  const lanes = await Promise.all(network.funders.map((funder, i) => signAhead(node, network, funder, Math.floor((count + network.funders.length - 1 - i) / network.funders.length), fundingAmount)));
  const began = performance.now();
  const made = await Promise.all(lanes.map((lane) => sendAll(node, lane)));
  const seconds = (performance.now() - began) / 1_000;
  const total = made.reduce((sum, each) => sum + each, 0);
  if (total !== count * MAX_ACCOUNTS_PER_TRANSACTION) throw new AppError('data', `${total} accounts instead of ${count * MAX_ACCOUNTS_PER_TRANSACTION}`, { where: 'limit' });
  return { accounts: total, seconds };
}

async function signAhead(node: AccessNode, network: Network, funder: Funder, count: number, fundingAmount: bigint): Promise<Lane> {
  const [keyIndex = 0] = funder.keyIndexes;
  const account = await node.account(funder.address);
  const first = account?.keys.find((key) => key.index === keyIndex)?.sequenceNumber ?? 0;
  const reference = await node.latestSealedBlock();
  const cadence = loadCadence(network);
  const transactions: SignedTransaction[] = [];
  for (let n = 0; n < count; n += 1) {
    transactions.push(
      await buildCreateAccounts({
        network,
        cadence,
        slot: { address: funder.address, keyIndex, sequenceNumber: first + n },
        signer: funder.signer,
        reference,
        publicKeys: Array.from({ length: MAX_ACCOUNTS_PER_TRANSACTION }, () => generateKeyPair().publicKey),
        fundingAmount,
      }),
    );
  }
  return { transactions };
}

async function sendAll(node: AccessNode, { transactions }: Lane): Promise<number> {
  let made = 0;
  for (const transaction of transactions) made += readCreatedAccounts((await sendAndSeal(node, transaction)).events).length;
  return made;
}
