import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  readonly id: string;
  readonly body: string;
  /** Whether the package of the format's makers takes it for ours. */
  readonly isVerified: boolean;
  readonly path: string;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** Answers from now on. Default: 204. */
  answer(how: (message: Received, response: ServerResponse, place: number) => void): void;
  /** Connections there are now. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

/** A real HTTP server that receives webhooks. */
export async function startWebhookReceiver(secret: string): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const done = (_: Received, response: ServerResponse): void => void response.writeHead(204).end();
  let answer: (message: Received, response: ServerResponse, place: number) => void = done;
  const server: Server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const message = { id: String(request.headers['webhook-id']), body, path: request.url ?? '', isVerified: isVerified(secret, body, request) };
      received.push(message);
      answer(message, response, received.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/wallets`,
    received,
    answer: (how) => void (answer = how),
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function isVerified(secret: string, body: string, request: IncomingMessage): boolean {
  try {
    new Webhook(secret).verify(body, request.headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}
