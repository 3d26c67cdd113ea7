import { z } from 'zod';
import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import { bareAddress, normalizeAddress } from './address.js';
import type { SignedTransaction } from './buildTransaction.js';
import { classifyChainError, saysAlreadySent } from './errors.js';
import { decodeCadence, type FclArg } from './fcl.js';
import type { CallKind, Limiter } from './limiter.js';
import { createRest, parseAnswer, type CallEnd, type CallWatch, type RestAnswer, type RestCall } from './rest.js';
import { AccountAnswer, BlocksAnswer, EventsAnswer, JsonPayload, ParametersAnswer, ResultAnswer, ScriptAnswer, type EventAnswer } from './restAnswers.js';
import { scriptBody } from './scriptBody.js';
import { parseShape } from './shape.js';

export interface AccessNodeOptions {
  /** Base URL of the REST API. */
  readonly url: string;
  readonly limiter: Limiter;
  /** For each call, without its wait for room in the limiter. Default 10,000. */
  readonly timeoutMs?: number;
  readonly log: Log;
  /** Sees every call as it goes out. */
  readonly watch?: CallWatch;
  /** Told of each call when it has ended. */
  readonly onCall?: (end: CallEnd) => void;
}

export interface Block {
  readonly id: string;
  readonly height: number;
  readonly timestamp: Date;
}

export interface AccountKey {
  readonly index: number;
  /** 64 bytes, hex, without 0x. */
  readonly publicKey: string;
  readonly sequenceNumber: number;
  readonly weight: number;
  readonly revoked: boolean;
  readonly signatureAlgorithm: string;
  readonly hashAlgorithm: string;
}

export interface ChainAccount {
  readonly address: string;
  /** In 10^-8 FLOW. */
  readonly balance: bigint;
  readonly keys: readonly AccountKey[];
}

/** An event, decoded: UFix64 and integers are strings, addresses 0x and 16 digits. */
export interface ChainEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export interface RangeEvent extends ChainEvent {
  readonly height: number;
  readonly txId: string;
}

export type TransactionStatus = 'unknown' | 'pending' | 'finalized' | 'executed' | 'sealed' | 'expired';

export interface TransactionResult {
  /** `unknown`: the node has no such transaction, which proves nothing (nodes lag). Only `sealed` is final. */
  readonly status: TransactionStatus;
  /** Why it failed, once it was executed; null when it did not fail. */
  readonly failed: AppError | null;
  /** Those of the types that are read here ({@link READ_TYPES}); all others are left out. */
  readonly events: readonly ChainEvent[];
  readonly blockId: string | null;
}

/** The chain, as one access node shows it. Every call may throw `network`, `rate-limit` or `data`; none retries. */
export interface AccessNode {
  /** flow-mainnet, flow-testnet or flow-emulator. */
  chainId(): Promise<string>;
  latestSealedBlock(): Promise<Block>;
  /** The height of the block with this id. Throws `data` where the node has no such block, as one that lags. */
  heightOf(blockId: string): Promise<number>;
  /** Null when there is no such account. */
  account(address: string): Promise<ChainAccount | null>;
  /** Runs a script at the latest sealed block, or at `height`, and decodes its answer. Throws `computation` or `chain-state` when it fails. */
  script(cadence: string, args: readonly FclArg[], options?: { readonly priority?: number; readonly height?: number }): Promise<unknown>;
  /** Broadcasts the body as it is. Sending twice is harmless. An error is never evidence that it was not accepted. */
  send(transaction: SignedTransaction, options?: { readonly priority?: number }): Promise<void>;
  result(txId: string): Promise<TransactionResult>;
  /** Both ends included; at most 250 blocks. Throws `network` where the answer leaves out a block: nodes cut a range at their own head without a word. */
  eventsInRange(type: string, from: number, to: number): Promise<RangeEvent[]>;
  /** Calls started since the beginning, and calls that wait for room, by kind. */
  calls(): Record<CallKind, { calls: number; waiting: number }>;
  /** Ends calls in flight; later ones are refused. */
  close(): void;
}

/** The access node's own limit of one events call. */
export const MAX_EVENT_RANGE = 250;

/** Keys, fees, and FLOW that came or went. A creation of 25 accounts has 580 events: decoding all takes 30 ms, and these 10. */
export const READ_TYPES = /^(flow\.AccountKeyAdded|A\.[0-9a-f]{16}\.(FlowFees\.FeesDeducted|FlowToken\.Tokens(Withdrawn|Deposited)))$/;

const DEFAULT_TIMEOUT_MS = 10_000;

/** Connects to an access node's REST API. Nothing is called before it is asked for. Throws `usage` when the URL is none. */
export function connectAccessNode(options: AccessNodeOptions): AccessNode {
  if (!/^https?:$/.test(URL.canParse(options.url) ? new URL(options.url).protocol : '')) {
    throw new AppError('usage', 'not an http or https URL', { where: 'FLOW_ACCESS_NODE', mend: 'give the REST API\'s URL, such as https://rest-testnet.onflow.org' });
  }
  const rest = createRest({ ...options, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS });
  const where = new URL(options.url).host;

  async function ask<T>(schema: z.ZodType<T>, call: RestCall): Promise<T> {
    const answer = await rest.call(call);
    if (answer.status === 404) throw notFound(answer, call.path, where);
    return parseAnswer(schema, answer, where);
  }

  return {
    async chainId() {
      return (await ask(ParametersAnswer, { kind: 'read', path: '/v1/network/parameters' })).chain_id;
    },

    async latestSealedBlock() {
      const [block] = await ask(BlocksAnswer, { kind: 'read', path: '/v1/blocks?height=sealed' });
      if (block === undefined) throw new AppError('data', 'the access node knows no sealed block', { where });
      return { id: block.header.id, height: block.header.height, timestamp: block.header.timestamp };
    },

    async heightOf(blockId) {
      const [block] = await ask(BlocksAnswer, { kind: 'read', path: `/v1/blocks/${blockId}` });
      if (block === undefined) throw new AppError('data', `the access node knows no block ${blockId}`, { where });
      if (block.header.id !== blockId) throw new AppError('data', `the access node answered for block ${block.header.id}, not ${blockId}`, { where });
      return block.header.height;
    },

    async account(address) {
      const answer = await rest.call({ kind: 'read', path: `/v1/accounts/${bareAddress(address)}?block_height=sealed&expand=keys` });
      if (answer.status === 404) return null;
      const account = parseAnswer(AccountAnswer, answer, where);
      if (normalizeAddress(account.address) !== normalizeAddress(address)) throw new AppError('data', `the access node answered for account ${normalizeAddress(account.address)}, not ${normalizeAddress(address)}`, { where });
      return {
        address: normalizeAddress(account.address),
        balance: account.balance,
        keys: account.keys.map((key) => ({
          index: key.index,
          publicKey: key.public_key,
          sequenceNumber: key.sequence_number,
          weight: key.weight,
          revoked: key.revoked,
          signatureAlgorithm: key.signing_algorithm,
          hashAlgorithm: key.hashing_algorithm,
        })),
      };
    },

    async script(cadence, args, { height, ...o } = {}) {
      const body = scriptBody(cadence, args);
      return decodeCadence(await ask(ScriptAnswer, { kind: 'script', path: `/v1/scripts?block_height=${height ?? 'sealed'}`, body, ...o }));
    },

    async send(transaction, o = {}) {
      try {
        const answer = await rest.call({ kind: 'transaction', path: '/v1/transactions', body: transaction.body, ...o });
        if (answer.status === 404) throw notFound(answer, '/v1/transactions', where);
      } catch (error) {
        if (error instanceof AppError && saysAlreadySent(error.message)) return;
        throw error;
      }
    },

    async result(txId) {
      const answer = await rest.call({ kind: 'read', path: `/v1/transaction_results/${txId}` });
      if (answer.status === 404) return { status: 'unknown', failed: null, events: [], blockId: null };
      const result = parseAnswer(ResultAnswer, answer, where);
      const isFailure = result.error_message !== '' || result.execution === 'Failure';
      return {
        status: result.status,
        failed: isFailure ? classifyChainError(result.error_message, `transaction ${txId}`) : null,
        events: await Promise.all(result.events.filter(({ type }) => READ_TYPES.test(type)).map(decodeIfPossible)),
        blockId: /^0*$/.test(result.block_id) ? null : result.block_id,
      };
    },

    async eventsInRange(type, from, to) {
      if (to < from || to - from >= MAX_EVENT_RANGE) throw new AppError('internal', `a range of events has 1 to ${MAX_EVENT_RANGE} blocks, not ${to - from + 1}`);
      const query = new URLSearchParams({ type, start_height: `${from}`, end_height: `${to}` });
      const blocks = await ask(EventsAnswer, { kind: 'event', path: `/v1/events?${query.toString()}` });
      // Other blocks than those that were asked for prove nothing about them.
      const answered = new Set(blocks.map((block) => block.block_height).filter((height) => height >= from && height <= to)).size;
      if (answered !== to - from + 1 || blocks.some((block) => block.block_height < from || block.block_height > to)) throw new AppError('network', `the access node answered for ${answered} of ${to - from + 1} blocks from ${from}`, { where });
      const events = blocks.flatMap((block) => block.events.map(async (event) => ({ ...(await decodeEvent(event)), height: block.block_height, txId: event.transaction_id })));
      return Promise.all(events);
    },

    calls: () => rest.calls(),
    close: () => rest.close(),
  };
}

function notFound(answer: RestAnswer, path: string, where: string): AppError {
  return new AppError('data', `the access node knows nothing at ${path.split('?')[0] ?? path}: ${answer.text.slice(0, 200)}`, { where, mend: 'check that FLOW_ACCESS_NODE is a REST access node' });
}

async function decodeEvent(event: EventAnswer): Promise<ChainEvent> {
  const where = `event ${event.type}`;
  const data = await decodeCadence(parseShape(JsonPayload, event.payload, where));
  return { type: event.type, data: parseShape(z.record(z.string(), z.unknown()), data, where) };
}

/**
 * As {@link decodeEvent}; what can't be decoded has no data. A transaction may have an event that anybody's contract made, which must not keep the
 * transaction from being settled; who needs that very event finds its data missing, and throws.
 */
async function decodeIfPossible(event: EventAnswer): Promise<ChainEvent> {
  try {
    return await decodeEvent(event);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.kind === 'data') return { type: event.type, data: {} };
    throw thrown;
  }
}
