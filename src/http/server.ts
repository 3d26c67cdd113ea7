import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { hostname } from 'node:os';
import { AppError } from '../errors.js';
import { openJournal } from '../journal/pool.js';
import { within } from '../waiting.js';
import { createAccessLog } from './accessLog.js';
import type { App } from './app.js';
import type { HttpOptions } from './deps.js';

const MAX_CONNECTIONS = 200;
/** Postgres connections for whoever looks: made when somebody does, gone 10 s after. */
const MAX_JOURNAL_CONNECTIONS = 2;
/** A stop lets answers end for so long, then cuts what is left. */
const CLOSE_MS = 500;

export interface HttpServer {
  /** Where others find it, as the journal says it. */
  readonly url: string;
  /** Loads what the first answer needs. */
  warm(): Promise<void>;
  /** Ends streams and answers, within a second. */
  stop(): Promise<void>;
}

/**
 * Answers at HTTP_HOST:HTTP_PORT. The port is taken at once, so that one that is taken already is known at the start; the routes are loaded
 * with the first request (or by `warm`), 0.1 s that nobody waits for. Throws `usage` where it cannot listen there.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { settings, log } = options.instance;
  const journal = openJournal({ connectionString: settings.DATABASE_URL, log, maxConnections: MAX_JOURNAL_CONNECTIONS, applicationName: 'wallet-sync http' });
  const accessLog = createAccessLog(log);
  let loading: Promise<App> | null = null;
  const load = (): Promise<App> => (loading ??= import('./app.js').then(({ createApp }) => createApp({ ...options, journal }, accessLog)));

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16 * 1_024, connectionsCheckingInterval: 5_000 }, (request, response) => {
    accessLog.watch(request, response);
    void load().then((app) => app.answer(request, response)).catch((thrown: unknown) => {
      log.error({ reason: thrown instanceof Error ? thrown.message : String(thrown) }, 'http request failed');
      response.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('clientError', refuseMalformed(options));
  try {
    await listen(server, settings.HTTP_HOST, settings.HTTP_PORT);
  } catch (thrown) {
    await journal.close();
    throw toListenError(thrown, settings);
  }
  const url = publishedUrl(settings.HTTP_HOST, (server.address() as AddressInfo).port);
  log.info({ url }, 'http listening');

  return {
    url,
    warm: async () => void (await load()),
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if (loading !== null) (await loading).stop();
      server.closeIdleConnections();
      await within(CLOSE_MS, closed);
      server.closeAllConnections();
      await within(CLOSE_MS, journal.close());
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host.replace(/^\[(.*)\]$/, '$1'), () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** What does not even parse has no route: it is logged and cut. */
const refuseMalformed = ({ instance }: HttpOptions) => (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  instance.log.info({ reason: error.code ?? 'malformed', remote: socket.remoteAddress }, 'http request refused');
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
};

const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'end what listens there, or set HTTP_PORT to another port (0: any free one)',
  EACCES: 'set HTTP_PORT to a port above 1023',
  EADDRNOTAVAIL: "set HTTP_HOST to one of this machine's addresses",
  ENOTFOUND: "set HTTP_HOST to one of this machine's addresses",
};

function toListenError(thrown: unknown, settings: HttpOptions['instance']['settings']): AppError {
  const code = (thrown as NodeJS.ErrnoException).code ?? '';
  const what = code === 'EADDRINUSE' ? 'the port is taken' : `cannot listen there (${code})`;
  return new AppError('usage', what, { where: `HTTP_HOST ${settings.HTTP_HOST}, HTTP_PORT ${settings.HTTP_PORT}`, mend: MENDS[code] ?? 'correct HTTP_HOST and HTTP_PORT', cause: thrown });
}

/** As others reach it: who listens on every address is reached by this host's name. */
function publishedUrl(host: string, port: number): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const name = bare === '0.0.0.0' || bare === '::' ? hostname() : bare;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
