import { z } from 'zod';
import { AppError } from '../../src/errors.js';
import { normalizeAddress } from '../../src/flow/address.js';
import { parseAmount } from '../../src/flow/amount.js';
import type { SignedTransaction } from '../../src/flow/buildTransaction.js';
import type { Cadence } from '../../src/flow/cadence.js';
import { loadFcl } from '../../src/flow/fcl.js';

/** What a transaction does, as far as the simulation knows it. */
export type Action =
  | { readonly name: 'createWallets'; readonly publicKeys: readonly string[]; readonly amount: bigint }
  | { readonly name: 'fundWallets'; readonly deposits: readonly { readonly address: string; readonly amount: bigint }[] }
  | { readonly name: 'addKeys'; readonly keyIndex: number; readonly count: number }
  /** Any other code: costs its fee and does nothing. */
  | { readonly name: 'other' };

export interface DecodedTransaction {
  readonly id: string;
  readonly body: string;
  readonly action: Action;
  readonly referenceBlockId: string;
  readonly proposer: { readonly address: string; readonly keyIndex: number; readonly sequenceNumber: number };
  readonly payer: string;
  readonly computeLimit: number;
}

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const Signature = z.object({ address: z.string(), key_index: z.coerce.number(), signature: base64 });

const Body = z.object({
  script: base64.transform((bytes) => bytes.toString('utf8')),
  arguments: z.array(base64.transform((bytes): unknown => JSON.parse(bytes.toString('utf8')))),
  reference_block_id: z.string(),
  gas_limit: z.coerce.number(),
  payer: z.string(),
  proposal_key: z.object({ address: z.string(), key_index: z.coerce.number(), sequence_number: z.coerce.number() }),
  authorizers: z.array(z.string()),
  payload_signatures: z.array(Signature),
  envelope_signatures: z.array(Signature),
});

const Text = z.object({ value: z.string() }).transform((argument) => argument.value);
const Amount = Text.transform(parseAmount);
const Address = Text.transform(normalizeAddress);
const listOf = <T extends z.ZodType>(item: T) => z.object({ value: z.array(item) }).transform((argument) => argument.value);

/** Reads a REST body as an access node does. Throws `data` where it is none, or where its id is not the one that the caller names. */
export async function decodeTransaction(transaction: SignedTransaction, cadence: Cadence): Promise<DecodedTransaction> {
  const parsed = Body.safeParse(JSON.parse(transaction.body));
  if (!parsed.success) throw new AppError('data', `not a transaction: ${parsed.error.message}`);
  const body = parsed.data;
  const signatures = (list: readonly z.output<typeof Signature>[]) => list.map((each) => ({ address: each.address, keyId: each.key_index, sig: each.signature.toString('hex') }));
  const fcl = await loadFcl();
  const id = fcl.voucherToTxId({
    cadence: body.script,
    refBlock: body.reference_block_id,
    computeLimit: body.gas_limit,
    arguments: body.arguments as { type: string; value: unknown }[],
    proposalKey: { address: body.proposal_key.address, keyId: body.proposal_key.key_index, sequenceNum: body.proposal_key.sequence_number },
    payer: body.payer,
    authorizers: body.authorizers,
    payloadSigs: signatures(body.payload_signatures),
    envelopeSigs: signatures(body.envelope_signatures),
  });
  if (id !== transaction.id) throw new AppError('data', `the bytes are those of ${id}, not of ${transaction.id}`);
  return {
    id,
    body: transaction.body,
    action: readAction(body.script, body.arguments, cadence),
    referenceBlockId: body.reference_block_id,
    proposer: { address: normalizeAddress(body.proposal_key.address), keyIndex: body.proposal_key.key_index, sequenceNumber: body.proposal_key.sequence_number },
    payer: normalizeAddress(body.payer),
    computeLimit: body.gas_limit,
  };
}

/** By its code: the simulation runs no Cadence, it knows what this package's transactions do. */
function readAction(script: string, args: readonly unknown[], cadence: Cadence): Action {
  if (script === cadence.transaction('createWallets')) {
    const [publicKeys, amount] = z.tuple([listOf(Text), Amount]).parse(args);
    return { name: 'createWallets', publicKeys, amount };
  }
  if (script === cadence.transaction('fundWallets')) {
    const [addresses, amounts] = z.tuple([listOf(Address), listOf(Amount)]).parse(args);
    return { name: 'fundWallets', deposits: addresses.map((address, i) => ({ address, amount: amounts[i] ?? 0n })) };
  }
  if (script === cadence.transaction('addKeys')) {
    const [keyIndex, count] = z.tuple([Text.transform(Number), Text.transform(Number)]).parse(args);
    return { name: 'addKeys', keyIndex, count };
  }
  return { name: 'other' };
}
