import { AppError } from '../errors.js';
import { readText } from '../bounds/readText.js';
import type { LogAddress } from './logAddress.js';

export interface StreamLogsOptions extends LogAddress {
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
  /** Called with each line. */
  readonly take: (line: string) => void;
}

/** No answer within this: it is gone. */
const CONNECT_MS = 5_000;

/** Reads an instance's log stream to its end. Throws `usage` where the token is not its, `network` where it doesn't answer. */
export async function streamLogs({ name, url, token, query, signal, take }: StreamLogsOptions): Promise<void> {
  const address = new URL(`/api/logs?${query}`, url);
  const connecting = new AbortController();
  const timer = setTimeout(() => connecting.abort(), CONNECT_MS);
  let response: Response;
  try {
    response = await fetch(address, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, redirect: 'error', signal: AbortSignal.any([signal, connecting.signal]) });
  } catch (cause) {
    throw new AppError('network', `${name} does not answer`, { where: url.origin, mend: 'is it still running? `wallet-sync status` lists the instances', cause });
  } finally {
    clearTimeout(timer);
  }
  if (response.status === 401) throw new AppError('usage', token === undefined ? `${name} asks for its token` : `the token is not that of ${name}`, { where: url.origin, mend: 'set HTTP_TOKEN to the one of that instance' });
  if (!response.ok || response.body === null) throw new AppError('network', `${name} answered ${response.status}`, { where: url.origin, mend: await readText(response, { maxBytes: 100_000, where: url.origin }).then((text) => text.slice(0, 200), () => '') });
  await readData(response.body, take, signal, name);
}

/** A line longer than this is none of ours. */
const MAX_LINE = 4_000_000;

async function readData(body: ReadableStream<Uint8Array>, take: (line: string) => void, signal: AbortSignal, name: string): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const bytes of body) {
      const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data: ')) take(line.slice('data: '.length));
      if (rest.length > MAX_LINE) throw new AppError('data', `${name} sends a line without end`);
    }
  } catch (cause) {
    if (signal.aborted) return;
    if (cause instanceof AppError) throw cause;
    throw new AppError('network', 'its log broke off', { where: name, mend: 'is it still running? `wallet-sync status` lists the instances', cause });
  }
}
