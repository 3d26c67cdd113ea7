import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CALL_KINDS, type CallKind } from '../src/flow/limiter.js';
import { acceptedBroadcast, errorAnswer, unknownResult, type NodeAnswer } from './accessNodeAnswers.js';
import { createFaults, type ProxyFaults } from './accessNodeFaults.js';
import { askLagging, resultId } from './laggingNode.js';

export interface ProxyOptions {
  /** Base URL of the REST API behind it. */
  readonly target: string;
  /** Calls a second by kind; default those of the public access nodes. A bucket holds one second's worth. */
  readonly limits?: Partial<Record<CallKind, number>>;
}

export interface KindStats {
  /** Calls that arrived, refused ones too. */
  readonly calls: number;
  /** Of them, answered 429. */
  readonly refused: number;
}

export interface AccessNodeProxy {
  readonly url: string;
  stats(): Record<CallKind, KindStats>;
  readonly faults: ProxyFaults;
  stop(): Promise<void>;
}

/** The public access nodes' limits for one client, in calls a second. */
export const PUBLIC_LIMITS: Record<CallKind, number> = { script: 5, transaction: 50, event: 30, read: 100 };

/**
 * Stands before the emulator as a public access node's gate does: each kind of call has a token bucket (burst = rate), and a call
 * without a token is answered 429. On request it also misbehaves as networks do.
 */
export async function startAccessNodeProxy(options: ProxyOptions): Promise<AccessNodeProxy> {
  const target = new URL(options.target);
  const agent = new Agent({ keepAlive: true });
  const faults = createFaults();
  const lanes = new Map(CALL_KINDS.map((kind) => [kind, { take: createBucket(options.limits?.[kind] ?? PUBLIC_LIMITS[kind]), calls: 0, refused: 0 }]));

  const server = createServer((request, response) => {
    // A client that goes away in between is no fault of the proxy.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    void handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = kindOf(request);
    const lane = lanes.get(kind);
    if (lane === undefined) throw new Error(`no lane for ${kind}`);
    lane.calls += 1;
    const body = await readAll(request);
    await faults.awake();
    if (!lane.take()) {
      lane.refused += 1;
      return respond(response, errorAnswer(429, `rate limit of ${kind} exceeded`));
    }

    const delayMs = faults.delayOf(kind);
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const fault = faults.next(kind, body);
    if (fault?.name === 'cut') return void request.socket.destroy();
    if (fault?.name === 'hang') return;
    if (fault?.name === 'answer') return respond(response, errorAnswer(fault.status, fault.message));
    if (fault?.name === 'accept') return respond(response, await acceptedBroadcast(body));

    const answer = await deliver(request, body);
    if (fault?.name === 'duplicate') await deliver(request, body);
    if (fault?.name === 'drop') return void request.socket.destroy();
    if (answer.status < 300) await faults.mayAnswer(kind);
    // Frozen while the node behind was working: the answer stays as well.
    await faults.awake();
    respond(response, answer);
  }

  /** The answer of the node behind, or of one that is less able. */
  async function deliver(request: IncomingMessage, body: Buffer): Promise<NodeAnswer> {
    const { method = 'GET', url: path = '/' } = request;
    const txId = resultId(path);
    if (txId !== null && faults.isPendingForEver()) return unknownResult(txId);
    if (method === 'GET' && faults.blocksBehind() > 0) return askLagging((each) => forward('GET', each), path, faults.blocksBehind());
    return forward(method, path, body);
  }

  async function forward(method: string, path: string, body: Buffer = Buffer.alloc(0)): Promise<NodeAnswer> {
    const outgoing = httpRequest({
      agent,
      host: target.hostname,
      port: target.port,
      method,
      path,
      headers: { 'content-type': 'application/json', 'content-length': body.length },
    });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 502, contentType: incoming.headers['content-type'] ?? 'application/json', text: await readAll(incoming) };
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stats: () => Object.fromEntries(CALL_KINDS.map((kind) => [kind, { calls: lanes.get(kind)?.calls ?? 0, refused: lanes.get(kind)?.refused ?? 0 }])) as Record<CallKind, KindStats>,
    faults,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

/** What the public access nodes count separately. */
export function kindOf(request: IncomingMessage): CallKind {
  const path = request.url ?? '';
  if (request.method === 'POST' && path.startsWith('/v1/scripts')) return 'script';
  if (request.method === 'POST' && path.startsWith('/v1/transactions')) return 'transaction';
  if (path.startsWith('/v1/events')) return 'event';
  return 'read';
}

/** A token bucket that starts full and holds one second's worth, at least one. */
export function createBucket(perSecond: number): () => boolean {
  const size = Math.max(1, perSecond);
  let tokens = size;
  let filledAt = performance.now();
  return () => {
    const time = performance.now();
    tokens = Math.min(size, tokens + ((time - filledAt) / 1_000) * perSecond);
    filledAt = time;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

export function respond(response: ServerResponse, answer: NodeAnswer): void {
  response.writeHead(answer.status, { 'content-type': answer.contentType, 'content-length': answer.text.length });
  response.end(answer.text);
}

export async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
