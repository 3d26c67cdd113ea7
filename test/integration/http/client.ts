import { request, type IncomingMessage } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  json(): Record<string, unknown>;
}

export interface Ask {
  readonly method?: string;
  /** Host, Origin and the like as given, which fetch would set itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request, with exactly these headers. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { connection: 'close', ...(body === undefined || headers['transfer-encoding'] !== undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` }), ...headers } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) as Record<string, unknown> }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A command, as the dashboard asks for it. */
export const command = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  ask(`${url}/api/control`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });

export interface Reader {
  /** The data of the events of this name so far. */
  events(name: string): Record<string, unknown>[];
  readonly status: number;
  readonly ended: Promise<void>;
  close(): void;
}

/** Reads a stream of server-sent events. */
export function readStream(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        events: (name) =>
          text
            .split('\n\n')
            .slice(0, -1)
            .map((frame) => /^event: (.*)\ndata: (.*)$/.exec(frame))
            .filter((found) => found?.[1] === name)
            .map((found) => JSON.parse(found?.[2] ?? '') as Record<string, unknown>),
        ended: new Promise((end) => response.once('close', end)),
        close: () => void sent.destroy(),
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
