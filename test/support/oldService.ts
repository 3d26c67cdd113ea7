import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import { sendAndSeal } from '../../dev/chain.js';
import { SERVICE_ADDRESS } from '../../dev/emulator.js';
import type { Stack } from '../../dev/stack.js';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { stringArg } from '../../src/flow/args.js';
import { buildTransaction } from '../../src/flow/buildTransaction.js';
import { loadCadence, resolveImports } from '../../src/flow/cadence.js';
import { buildCreateAccounts, readCreatedAccounts } from '../../src/flow/createAccounts.js';
import { generateKeyPair, type KeyPair } from '../../src/flow/keys.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork } from '../../src/flow/network.js';
import { createSigner } from '../../src/flow/sign.js';
import { createLog } from '../../src/log.js';

/** A key as the older service encrypted it: base64(salt 16 | nonce 12 | ciphertext and tag), PBKDF2-HMAC-SHA256, 100,000 rounds. */
export function oldBlob(plain: string | Buffer, passphrase: string, salt = randomBytes(16)): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', pbkdf2Sync(passphrase, salt, 100_000, 32, 'sha256'), nonce);
  return Buffer.concat([salt, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** An account on the real chain that nobody has told this service of. */
export interface OldAccount extends KeyPair {
  readonly address: string;
}

const OTHER_HASH = `transaction(publicKey: String) {
  prepare(payer: auth(BorrowValue) &Account) {
    Account(payer: payer).keys.add(publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_P256), hashAlgorithm: HashAlgorithm.SHA2_256, weight: 1000.0)
  }
}`;

/** Makes so many whole accounts (at most 24), and one whose key hashes in another way, as the older service would: paid by another account than the funders. */
export async function makeOldAccounts(stack: Pick<Stack, 'emulator' | 'env'>, count: number): Promise<{ accounts: OldAccount[]; otherHash: OldAccount }> {
  const { emulator } = stack;
  const network = await loadNetwork({ flowJsonPath: stack.env()['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
  const node = connectAccessNode({ url: emulator.restUrl, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  try {
    const signer = createSigner({ privateKey: emulator.servicePrivateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
    const service = { address: SERVICE_ADDRESS, keyIndex: 0, signer };
    const sequenceNumber = async (): Promise<number> => (await node.account(SERVICE_ADDRESS))?.keys[0]?.sequenceNumber ?? 0;
    const pairs = Array.from({ length: count }, generateKeyPair);
    const made = await sendAndSeal(
      node,
      await buildCreateAccounts({ network, cadence: loadCadence(network), slot: { ...service, sequenceNumber: await sequenceNumber() }, signer, reference: await node.latestSealedBlock(), publicKeys: pairs.map((pair) => pair.publicKey), fundingAmount: 10_000_000n }),
    );
    const other = generateKeyPair();
    const bare = await sendAndSeal(
      node,
      await buildTransaction({ cadence: resolveImports(OTHER_HASH, network.contracts, 'emulator'), args: [stringArg(other.publicKey)], reference: await node.latestSealedBlock(), proposer: { ...service, sequenceNumber: await sequenceNumber() }, payer: service, authorizers: [service] }),
    );
    const addresses = new Map([...readCreatedAccounts(made.events), ...readCreatedAccounts(bare.events)].map((created) => [created.publicKey, created.address]));
    const at = (pair: KeyPair): OldAccount => ({ ...pair, address: addresses.get(pair.publicKey) ?? '' });
    return { accounts: pairs.map(at), otherHash: at(other) };
  } finally {
    node.close();
  }
}
