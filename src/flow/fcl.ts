import { AppError } from '../errors.js';
import { checkCadence } from './jsonCadence.js';

/** A value in JSON-Cadence: what scripts and transactions take and give. */
export interface FclArg {
  readonly type: string;
  readonly value: unknown;
}

/** A transaction with its signatures, before it is written as a REST body. All addresses without 0x. */
export interface Voucher {
  readonly cadence: string;
  readonly refBlock: string;
  readonly computeLimit: number;
  readonly arguments: readonly FclArg[];
  readonly proposalKey: { readonly address: string; readonly keyId: number; readonly sequenceNum: number };
  readonly payer: string;
  readonly authorizers: readonly string[];
  readonly payloadSigs: readonly VoucherSignature[];
  readonly envelopeSigs: readonly VoucherSignature[];
}

export interface VoucherSignature {
  readonly address: string;
  readonly keyId: number;
  readonly sig: string;
}

/**
 * The part of @onflow/fcl that is used: encoding what is signed, transaction ids, and decoding answers. Its sending is not: it
 * reads block and account by itself before each send, retries by itself each second, and rounds balances to a double.
 */
export interface Fcl {
  decode(response: { encodedData: unknown }): Promise<unknown>;
  /**
   * Give it a voucher without 0x in any address: with the prefix it takes every signer for the first one, and the id of a
   * transaction whose payer is not its proposer comes out wrong.
   */
  voucherToTxId(voucher: Voucher): string;
  readonly WalletUtils: {
    /** What the owner of the address signs: the payload, or the envelope for the payer. Hex, with the domain tag. */
    encodeMessageFromSignable(signable: { voucher: Voucher }, address: string): string;
  };
}

let loading: Promise<Fcl> | undefined;

/** Loads @onflow/fcl on first use (0.4 to 1 s): commands that never speak to the chain don't wait for it. It is silenced. */
export function loadFcl(): Promise<Fcl> {
  loading ??= importFcl();
  return loading;
}

async function importFcl(): Promise<Fcl> {
  // The package names a file of types that it does not ship.
  // @ts-expect-error -- see above; the shape is checked below.
  const fcl = (await import('@onflow/fcl')) as unknown as Fcl & { config(values: Record<string, unknown>): unknown };
  for (const [name, value] of [['decode', fcl.decode], ['voucherToTxId', fcl.voucherToTxId], ['encodeMessageFromSignable', fcl.WalletUtils?.encodeMessageFromSignable]] as const) {
    if (typeof value !== 'function') throw new AppError('internal', `@onflow/fcl has no ${name}`, { where: '@onflow/fcl', mend: 'npm ci' });
  }
  // 0 is its level for silence: its messages go to the console, around the log.
  fcl.config({ 'logger.level': 0 });
  return fcl;
}

/**
 * Turns JSON-Cadence into plain values: numbers of any width stay strings, optionals become null, structs become objects. Throws `data` for what is none
 * (see {@link checkCadence}).
 */
export async function decodeCadence(value: unknown): Promise<unknown> {
  const fcl = await loadFcl();
  checkCadence(value);
  return fcl.decode({ encodedData: value });
}
