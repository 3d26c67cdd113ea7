import { bareAddress } from './address.js';
import { AppError } from '../errors.js';
import { loadFcl, type FclArg, type Fcl, type Voucher, type VoucherSignature } from './fcl.js';
import type { Signer } from './sign.js';

/** What the chain allows a transaction to compute, at most. The fee follows what is used, not this. */
export const MAX_COMPUTE = 9_999;

export interface KeyOfAccount {
  readonly address: string;
  readonly keyIndex: number;
  readonly signer: Signer;
}

export interface TransactionParts {
  /** With imports resolved. */
  readonly cadence: string;
  readonly args: readonly FclArg[];
  /** The block that the expiry counts from: a recent sealed one. */
  readonly reference: { readonly id: string };
  readonly proposer: KeyOfAccount & { readonly sequenceNumber: number };
  readonly payer: KeyOfAccount;
  readonly authorizers: readonly KeyOfAccount[];
  /** Default 9,999. */
  readonly computeLimit?: number;
}

/** A transaction that can be broadcast any number of times. */
export interface SignedTransaction {
  /** 64 hex digits; the id that the chain knows it by. */
  readonly id: string;
  /** The REST body, sent byte for byte each time. */
  readonly body: string;
}

/**
 * Builds, signs and names a transaction without asking the network anything: reference block and sequence number are given.
 * The payer signs the envelope; proposer and authorizers who are not the payer sign the payload.
 */
export async function buildTransaction(parts: TransactionParts): Promise<SignedTransaction> {
  const fcl = await loadFcl();
  const payer = bareAddress(parts.payer.address);
  const proposer = bareAddress(parts.proposer.address);
  const unsigned: Voucher = {
    cadence: parts.cadence,
    refBlock: parts.reference.id,
    computeLimit: parts.computeLimit ?? MAX_COMPUTE,
    arguments: parts.args,
    proposalKey: { address: proposer, keyId: parts.proposer.keyIndex, sequenceNum: parts.proposer.sequenceNumber },
    payer,
    authorizers: [...new Set(parts.authorizers.map((authorizer) => bareAddress(authorizer.address)))],
    payloadSigs: [],
    envelopeSigs: [],
  };

  const keys = [parts.proposer, ...parts.authorizers];
  const payloadKeys = withoutDoubles(keys.filter((key) => bareAddress(key.address) !== payer));
  // The payer's account signs once, the envelope, with every key of its own that has a role.
  const envelopeKeys = withoutDoubles([parts.payer, ...keys.filter((key) => bareAddress(key.address) === payer)]);
  const payloadSigned: Voucher = { ...unsigned, payloadSigs: await signAll(fcl, unsigned, payloadKeys) };
  const voucher: Voucher = { ...payloadSigned, envelopeSigs: await signAll(fcl, payloadSigned, envelopeKeys) };

  const id = fcl.voucherToTxId(voucher);
  if (!/^[0-9a-f]{64}$/.test(id)) throw new AppError('internal', 'a transaction id is not 32 bytes of hex');
  return { id, body: JSON.stringify(toRestBody(voucher)) };
}

/** Each key once, accounts in the order of their roles, an account's keys by index: the order in which the id hashes signatures. */
function withoutDoubles(keys: readonly KeyOfAccount[]): KeyOfAccount[] {
  const accounts = [...new Set(keys.map((key) => bareAddress(key.address)))];
  const rank = (key: KeyOfAccount): number => accounts.indexOf(bareAddress(key.address));
  const once = new Map(keys.map((key) => [`${rank(key)}/${key.keyIndex}`, key]));
  return [...once.values()].sort((a, b) => rank(a) - rank(b) || a.keyIndex - b.keyIndex);
}

async function signAll(fcl: Fcl, voucher: Voucher, keys: readonly KeyOfAccount[]): Promise<VoucherSignature[]> {
  return Promise.all(
    keys.map(async (key) => {
      const address = bareAddress(key.address);
      const message = fcl.WalletUtils.encodeMessageFromSignable({ voucher }, `0x${address}`);
      return { address, keyId: key.keyIndex, sig: await key.signer.sign(message) };
    }),
  );
}

/** The access node's REST form of a transaction; its numbers are strings and its bytes base64. */
function toRestBody(voucher: Voucher): unknown {
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  const signature = (entry: VoucherSignature): unknown => ({
    address: entry.address,
    key_index: `${entry.keyId}`,
    signature: Buffer.from(entry.sig, 'hex').toString('base64'),
  });
  return {
    script: base64(voucher.cadence),
    arguments: voucher.arguments.map((argument) => base64(JSON.stringify(argument))),
    reference_block_id: voucher.refBlock,
    gas_limit: `${voucher.computeLimit}`,
    payer: voucher.payer,
    proposal_key: {
      address: voucher.proposalKey.address,
      key_index: `${voucher.proposalKey.keyId}`,
      sequence_number: `${voucher.proposalKey.sequenceNum}`,
    },
    authorizers: voucher.authorizers,
    payload_signatures: voucher.payloadSigs.map(signature),
    envelope_signatures: voucher.envelopeSigs.map(signature),
  };
}
