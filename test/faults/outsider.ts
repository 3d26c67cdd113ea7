import { sendAndSeal } from '../../dev/chain.js';
import { SERVICE_ADDRESS } from '../../dev/emulator.js';
import type { Stack } from '../../dev/stack.js';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { amountArg } from '../../src/flow/args.js';
import { buildTransaction, type KeyOfAccount } from '../../src/flow/buildTransaction.js';
import { resolveImports } from '../../src/flow/cadence.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork } from '../../src/flow/network.js';
import { createSigner } from '../../src/flow/sign.js';
import { createLog } from '../../src/log.js';

/** Somebody else who has the funders' keys, past every proxy. Each resolves when its transactions are sealed. */
export interface Outsider {
  /** The funders' addresses, the lowest first: the order in which slots that were never used are leased. */
  readonly funders: readonly { readonly name: string; readonly address: string }[];
  /** Proposes so many transactions with a funder's key: its sequence number goes on by as many. */
  useKey(funder: string, times: number): Promise<void>;
  /** Takes away all FLOW of a funder but `amount` (10^-8 FLOW), without using its key to propose. */
  leave(funder: string, amount: bigint): Promise<void>;
  /** Gives FLOW to a funder, in 10^-8 FLOW. */
  give(funder: string, amount: bigint): Promise<void>;
  close(): void;
}

const NOTHING = 'transaction { prepare(signer: &Account) {} }';
const MOVE = (amount: string): string => `
import "FungibleToken"
import "FlowToken"
transaction(amount: UFix64) {
    prepare(from: auth(BorrowValue) &Account, to: &Account) {
        let vault = from.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        to.capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)!.deposit(from: <- vault.withdraw(amount: ${amount}))
    }
}`;

export async function startOutsider(stack: Stack): Promise<Outsider> {
  const network = await loadNetwork({ flowJsonPath: stack.env()['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
  const node = connectAccessNode({ url: stack.emulator.restUrl, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  const service = { address: SERVICE_ADDRESS, keyIndex: 0, signer: createSigner({ privateKey: stack.emulator.servicePrivateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };

  const keyOf = (name: string): KeyOfAccount => {
    const funder = network.funders.find((each) => each.name === name);
    if (funder === undefined) throw new Error(`there is no ${name}`);
    return { address: funder.address, keyIndex: 0, signer: funder.signer };
  };
  const run = async (cadence: string, args: readonly FclArg[], proposer: KeyOfAccount, authorizers: readonly KeyOfAccount[]): Promise<void> => {
    const account = await node.account(proposer.address);
    const transaction = await buildTransaction({
      cadence: resolveImports(cadence, network.contracts, 'emulator'),
      args,
      reference: await node.latestSealedBlock(),
      proposer: { ...proposer, sequenceNumber: account?.keys[0]?.sequenceNumber ?? 0 },
      payer: service,
      authorizers,
    });
    await sendAndSeal(node, transaction);
  };

  return {
    funders: network.funders.map(({ name, address }) => ({ name, address })).sort((a, b) => (a.address < b.address ? -1 : 1)),
    async useKey(funder, times) {
      for (let i = 0; i < times; i++) await run(NOTHING, [], keyOf(funder), [keyOf(funder)]);
    },
    leave: (funder, amount) => run(MOVE('vault.balance - amount'), [amountArg(amount)], service, [keyOf(funder), service]),
    give: (funder, amount) => run(MOVE('amount'), [amountArg(amount)], service, [service, keyOf(funder)]),
    close: () => node.close(),
  };
}
