import { loadFcl } from '../src/flow/fcl.js';

/** What an access node's REST API answers, word for word: `text` is the body. */
export interface NodeAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: Buffer;
}

/** An answer as the node's own server writes it. */
export function jsonAnswer(status: number, body: unknown): NodeAnswer {
  return { status, contentType: 'application/json; charset=UTF-8', text: Buffer.from(JSON.stringify(body, null, '\t')) };
}

export const errorAnswer = (status: number, message: string): NodeAnswer => jsonAnswer(status, { code: status, message });

/** To a result asked for by an id that the node doesn't know, captured from the emulator. */
export function unknownResult(txId: string): NodeAnswer {
  return jsonAnswer(200, {
    block_id: '',
    collection_id: '',
    execution: 'Pending',
    status: '',
    status_code: 0,
    error_message: '',
    computation_used: '0',
    events: [],
    _links: { _self: `/v1/transaction_results/${txId}` },
  });
}

/** A transaction's REST body, as far as its id needs it. */
interface TransactionBody {
  readonly script: string;
  readonly arguments: readonly string[];
  readonly reference_block_id: string;
  readonly gas_limit: string;
  readonly payer: string;
  readonly proposal_key: { readonly address: string; readonly key_index: string; readonly sequence_number: string };
  readonly authorizers: readonly string[];
  readonly payload_signatures: readonly Signature[];
  readonly envelope_signatures: readonly Signature[];
}

interface Signature {
  readonly address: string;
  readonly key_index: string;
  readonly signature: string;
}

/** To a broadcast that was accepted: the transaction itself with its id, captured from the emulator. Throws where the body is no transaction. */
export async function acceptedBroadcast(body: Buffer): Promise<NodeAnswer> {
  const transaction = JSON.parse(body.toString('utf8')) as TransactionBody;
  const id = await idOf(transaction);
  return jsonAnswer(200, {
    id,
    ...transaction,
    _expandable: { result: `/v1/transaction_results/${id}` },
    _links: { _self: `/v1/transactions/${id}` },
  });
}

async function idOf(transaction: TransactionBody): Promise<string> {
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  const signature = (each: Signature) => ({ address: each.address, keyId: Number(each.key_index), sig: Buffer.from(each.signature, 'base64').toString('hex') });
  const { proposal_key: proposer } = transaction;
  const fcl = await loadFcl();
  return fcl.voucherToTxId({
    cadence: decode(transaction.script),
    refBlock: transaction.reference_block_id,
    computeLimit: Number(transaction.gas_limit),
    arguments: transaction.arguments.map((argument) => JSON.parse(decode(argument)) as { type: string; value: unknown }),
    proposalKey: { address: proposer.address, keyId: Number(proposer.key_index), sequenceNum: Number(proposer.sequence_number) },
    payer: transaction.payer,
    authorizers: transaction.authorizers,
    payloadSigs: transaction.payload_signatures.map(signature),
    envelopeSigs: transaction.envelope_signatures.map(signature),
  });
}
