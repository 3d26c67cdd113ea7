import { request, type ClientRequest } from 'node:http';

export interface Watchers {
  /** Bytes that all have got. */
  received(): number;
  close(): void;
}

/** Opens so many streams of a daemon's events; resolves when each has got its first bytes. */
export async function watchEvents(url: string, clients: number): Promise<Watchers> {
  let bytes = 0;
  const open: ClientRequest[] = [];
  await Promise.all(
    Array.from({ length: clients }, () =>
      new Promise<void>((resolve, reject) => {
        const sent = request(`${url}/api/events`, { agent: false }, (response) => {
          response.on('error', () => undefined);
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            resolve();
          });
        });
        sent.on('error', reject).end();
        open.push(sent);
      }),
    ),
  );
  return { received: () => bytes, close: () => open.forEach((each) => each.destroy()) };
}
