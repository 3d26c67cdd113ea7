import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorAnswer, jsonAnswer, type NodeAnswer } from '../../dev/accessNodeAnswers.js';
import { createBucket, kindOf, PUBLIC_LIMITS, readAll, respond } from '../../dev/accessNodeProxy.js';
import { CALL_KINDS, type CallKind } from '../../src/flow/limiter.js';
import { computationExceeded, createAnswers, isKeyOf, readQuestion, scriptIdOf } from './checkWalletsAnswer.js';

export interface SimulatedNodeOptions {
  /** checkWallets.cdc as it is sent, its imports resolved. The node knows no other script. */
  readonly checkWallets: string;
  /** The accounts that it shows by themselves. */
  readonly funders: readonly { readonly address: string; readonly publicKey: string; readonly balance: bigint }[];
  /** Addresses that a script can look at before it has computed too much. */
  readonly scriptLimit: number;
  /** From so many checked addresses on the limit is another one, as after an upgrade of the network. */
  readonly lowered?: { readonly to: number; readonly afterChecked: number };
  /** Of every wallet, as the chain writes it. Default 0.10000000. */
  readonly flowBalance?: string;
  /** Time that a script takes, in milliseconds. Default 0. */
  readonly scriptMs?: number;
  /** Hears of every address that a script has looked at. */
  readonly onChecked?: (address: string) => void;
}

export interface SimulatedNodeStats {
  /** Script calls that arrived, failed and refused ones too. */
  readonly scriptCalls: number;
  /** Calls of any kind answered 429. */
  readonly refused: number;
  /** Scripts that failed with 1110. */
  readonly tooLarge: number;
  /** Addresses in scripts that it began to run. */
  readonly asked: number;
  /** Of them, in scripts that were answered. */
  readonly checked: number;
  /** Of these, with a key that is not the account's. */
  readonly strangeKeys: number;
  /** Calls that the simulation doesn't know, by method and path, each once. */
  readonly unknown: readonly string[];
}

export interface SimulatedNode {
  readonly url: string;
  /** The sealed height of this moment. */
  height(): number;
  stats(): SimulatedNodeStats;
  stop(): Promise<void>;
}

const FIRST_HEIGHT = 1_000_000;
/** As on mainnet. */
const BLOCK_MS = 800;

/**
 * An access node over HTTP on which every account stands whole under the key that its address derives from: what a sweep asks, in the format
 * of the real one, with the public limits (429) and a limit of addresses to a script (1110). It holds no accounts, so a million cost nothing.
 */
export async function startSimulatedNode(options: SimulatedNodeOptions): Promise<SimulatedNode> {
  const scriptId = scriptIdOf(options.checkWallets);
  const script = Buffer.from(options.checkWallets).toString('base64');
  const answerFor = createAnswers({ scriptId, flowBalance: options.flowBalance ?? '0.10000000' });
  const buckets = new Map<CallKind, () => boolean>(CALL_KINDS.map((kind) => [kind, createBucket(PUBLIC_LIMITS[kind])]));
  const counts = { scriptCalls: 0, refused: 0, tooLarge: 0, asked: 0, checked: 0, strangeKeys: 0 };
  const unknown = new Set<string>();
  const startedAt = performance.now();
  const height = (): number => FIRST_HEIGHT + Math.floor((performance.now() - startedAt) / BLOCK_MS);

  const server = createServer((request, response) => {
    // A client that goes away in between is no fault of the node.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    answer(request).then((ready) => respond(response, ready), () => response.destroy());
  });

  // As the real node's server: an idle connection stays. Node's own would close it after 5 s, under a client that is about to use it.
  server.keepAliveTimeout = 0;

  async function answer(request: IncomingMessage): Promise<NodeAnswer> {
    const kind = kindOf(request);
    if (kind === 'script') counts.scriptCalls += 1;
    const body = await readAll(request);
    if (buckets.get(kind)?.() !== true) {
      counts.refused += 1;
      return errorAnswer(429, `rate limit of ${kind} exceeded`);
    }
    if (kind === 'script') return runScript(body);
    const path = new URL(request.url ?? '/', 'http://node').pathname;
    return (request.method === 'GET' ? read(path) : undefined) ?? refuse(`${request.method ?? ''} ${path}`);
  }

  async function runScript(body: Buffer): Promise<NodeAnswer> {
    const call = JSON.parse(body.toString('utf8')) as { script: string; arguments: readonly string[] };
    if (call.script !== script) return refuse('POST /v1/scripts with another script');
    const question = readQuestion(call.arguments);
    counts.asked += question.addresses.length;
    const { lowered } = options;
    const limit = lowered !== undefined && counts.checked >= lowered.afterChecked ? lowered.to : options.scriptLimit;
    if ((options.scriptMs ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, options.scriptMs));
    if (question.addresses.length > limit) {
      counts.tooLarge += 1;
      return computationExceeded(scriptId);
    }
    const answered = answerFor(question, height());
    counts.checked += question.addresses.length;
    question.addresses.forEach((address, i) => {
      if (!isKeyOf(question.publicKeys[i] ?? '', address)) counts.strangeKeys += 1;
      options.onChecked?.(address);
    });
    return answered;
  }

  function read(path: string): NodeAnswer | undefined {
    if (path === '/v1/network/parameters') return jsonAnswer(200, { chain_id: 'flow-emulator' });
    if (path === '/v1/blocks') return jsonAnswer(200, [blockAt(height())]);
    const [, collection, id = ''] = /^\/v1\/(blocks|accounts)\/([0-9a-f]+)$/.exec(path) ?? [];
    if (collection === 'blocks') {
      const asked = Number.parseInt(id, 16);
      return id.length === 64 && asked >= FIRST_HEIGHT && asked <= height() ? jsonAnswer(200, [blockAt(asked)]) : errorAnswer(404, `error looking up block with ID ${id}`);
    }
    const funder = options.funders.find((each) => each.address === `0x${id}`);
    return collection === 'accounts' && funder !== undefined ? jsonAnswer(200, accountOf(funder)) : undefined;
  }

  function refuse(call: string): NodeAnswer {
    unknown.add(call);
    return errorAnswer(404, `the simulated node does not know ${call}`);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    height,
    stats: () => ({ ...counts, unknown: [...unknown] }),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The id of a block is its height: nothing need be remembered. */
const blockId = (height: number): string => height.toString(16).padStart(64, '0');

function blockAt(height: number): unknown {
  const id = blockId(height);
  return {
    header: { id, parent_id: blockId(height - 1), height: `${height}`, timestamp: new Date().toISOString(), parent_voter_signature: '' },
    _expandable: { payload: `/v1/blocks/${id}/payload` },
    _links: { _self: `/v1/blocks/${id}` },
    block_status: 'BLOCK_SEALED',
  };
}

function accountOf(funder: SimulatedNodeOptions['funders'][number]): unknown {
  const address = funder.address.slice(2);
  return {
    address,
    balance: `${funder.balance}`,
    keys: [{ index: '0', public_key: `0x${funder.publicKey}`, signing_algorithm: 'ECDSA_P256', hashing_algorithm: 'SHA3_256', sequence_number: '1', weight: '1000', revoked: false }],
    _expandable: { contracts: 'contracts' },
    _links: { _self: `/v1/accounts/${address}` },
  };
}
