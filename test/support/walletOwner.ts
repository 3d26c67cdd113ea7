import { sendAndSeal } from '../../dev/chain.js';
import { SERVICE_ADDRESS } from '../../dev/emulator.js';
import type { Stack } from '../../dev/stack.js';
import { connectAccessNode, type TransactionResult } from '../../src/flow/accessNode.js';
import { addressArg, amountArg, stringArg } from '../../src/flow/args.js';
import { buildTransaction } from '../../src/flow/buildTransaction.js';
import { resolveImports } from '../../src/flow/cadence.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork } from '../../src/flow/network.js';
import { createSigner } from '../../src/flow/sign.js';
import { createLog } from '../../src/log.js';
import { createVault } from '../../src/secrets.js';

/** What a wallet's owner does to the wallet, in Cadence; with arguments where it has any. */
export interface OwnersAct {
  readonly cadence: string;
  readonly args: readonly FclArg[];
}

const act = (body: string, imports: readonly string[] = []): OwnersAct => ({
  cadence: `${imports.map((name) => `import "${name}"\n`).join('')}transaction { prepare(me: auth(Storage, Capabilities, Keys) &Account) { ${body} } }`,
  args: [],
});

/** The vault goes; what was published leads to nothing. */
export const DROP_VAULT = act('destroy me.storage.load<@AnyResource>(from: /storage/baitCoinVault)');
export const UNPUBLISH_BALANCE = act('me.capabilities.unpublish(/public/baitCoinVault)');
export const UNPUBLISH_RECEIVER = act('me.capabilities.unpublish(/public/baitCoinReceiver)');
/** The receiver leads to the FLOW vault. */
export const MISTYPE_RECEIVER = act(
  `me.capabilities.unpublish(/public/baitCoinReceiver)
   me.capabilities.publish(me.capabilities.storage.issue<&{FungibleToken.Receiver}>(/storage/flowTokenVault), at: /public/baitCoinReceiver)`,
  ['FungibleToken'],
);
/** Something else lies at the vault's place: no repair can succeed. */
export const BLOCK_VAULT = act('destroy me.storage.load<@AnyResource>(from: /storage/baitCoinVault)\n me.storage.save("mine", to: /storage/baitCoinVault)');
/** From then on the owner can do nothing more, and nobody can mend the wallet. */
export const REVOKE_KEY = act('me.keys.revoke(keyIndex: 0)');

/** Fills the storage of a wallet of 0.001 FLOW (100 kB) until less than 300 bytes of it are left: a vault with its capabilities takes more. */
export const FILL_STORAGE: OwnersAct = {
  cadence: `transaction(text: String) {
    prepare(me: auth(Storage) &Account) {
        for margin in [2000, 300] {
            let free = Int(me.storage.capacity) - Int(me.storage.used)
            me.storage.save(text.slice(from: 0, upTo: free - margin), to: StoragePath(identifier: "fill".concat(margin.toString()))!)
        }
    }
}`,
  args: [stringArg('x'.repeat(100_000))],
};

/** Sends all FLOW away but `left`, in 10^-8 FLOW. Below 0.001 the chain refuses. */
export const SPEND_FLOW = (left: bigint): OwnersAct => ({
  cadence: `import "FungibleToken"
import "FlowToken"
transaction(left: UFix64, to: Address) {
    prepare(me: auth(BorrowValue) &Account) {
        let vault = me.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        getAccount(to).capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)!.deposit(from: <- vault.withdraw(amount: vault.balance - left))
    }
}`,
  args: [amountArg(left), addressArg(SERVICE_ADDRESS)],
});

export interface OwnersWorld {
  readonly stack: Pick<Stack, 'emulator' | 'env' | 'postgres'>;
}

/**
 * Acts as a wallet's owner, who has the wallet's key: its account must be in the journal of the stack. The chain's service account
 * pays, so the wallet's FLOW stays as it was. Resolves when it is sealed, with the result; throws its failure.
 */
export async function actAs(world: OwnersWorld, wallet: { readonly address: string }, does: OwnersAct | string, args?: readonly FclArg[]): Promise<TransactionResult> {
  const { emulator, env, postgres } = world.stack;
  const { cadence, args: given } = typeof does === 'string' ? { cadence: does, args: [] } : does;
  const [account] = await postgres.query<{ public_key: string; private_key: string }>('postgres', 'select public_key, private_key from wallet_sync.account where address = $1', [wallet.address]);
  if (account === undefined) throw new Error(`no account has the address ${wallet.address}`);
  const settings = env();
  const privateKey = createVault(Buffer.from(settings['WALLET_ENCRYPTION_KEY'] ?? '', 'base64')).open(account.private_key, account.public_key);
  const node = connectAccessNode({ url: emulator.restUrl, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const key = (await node.account(wallet.address))?.keys.find((candidate) => candidate.publicKey === account.public_key);
    if (key === undefined) throw new Error(`${wallet.address} has another key on chain`);
    const owner = { address: wallet.address, keyIndex: key.index, signer: createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
    const service = { address: SERVICE_ADDRESS, keyIndex: 0, signer: createSigner({ privateKey: emulator.servicePrivateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
    const network = await loadNetwork({ flowJsonPath: settings['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
    const transaction = await buildTransaction({
      cadence: resolveImports(cadence, network.contracts, 'emulator'),
      args: args ?? given,
      reference: await node.latestSealedBlock(),
      proposer: { ...owner, sequenceNumber: key.sequenceNumber },
      payer: service,
      authorizers: [owner],
    });
    return await sendAndSeal(node, transaction);
  } finally {
    node.close();
  }
}
