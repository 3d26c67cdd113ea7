import { Socket } from 'node:net';
import pgListen from 'pg-listen';
import { Observable } from 'rxjs';
import { toDatabaseConnection } from '../databaseUrl.js';
import { AppError } from '../errors.js';

export type ListenEvent =
  /** All LISTENs stand: what commits from here on is heard. */
  | { readonly type: 'listening' }
  /** Payload undefined: NOTIFY without one. */
  | { readonly type: 'notification'; readonly channel: string; readonly payload: string | undefined; readonly senderPid: number };

export interface ListenOptions {
  /** A session: the direct connection or the session pooler. A transaction pooler accepts LISTEN and delivers nothing. */
  readonly connectionString: string;
  readonly channels: readonly string[];
  /** For connecting and all LISTENs together, in milliseconds. */
  readonly connectWithinMs: number;
}

/** A closing connection whose server no longer answers is cut after so many milliseconds. */
const CLOSE_GRACE_MS = 500;

/**
 * One LISTEN connection, from its start to its loss. Never completes; errors once with an AppError `network` when it can't be made or is lost.
 * Unsubscribing closes it.
 *
 * pg-listen 1.7.0 (read in its source) reconnects by itself, unjittered and for 3 s, then reports an error. With retryLimit 1 its loop makes no attempt and
 * each loss is an 'error' event at once, so that the caller's policy is the only one. Its paranoid check asks the connection whether
 * it answers queries; the caller's heartbeat asks whether it hears.
 */
export function listenToPostgres({ connectionString, channels, connectWithinMs }: ListenOptions): Observable<ListenEvent> {
  return new Observable((subscriber) => {
    let socket: Socket | null = null;
    let isListening = false;
    // The CommonJS module is the function and also has it as `default`; only the latter is what its types say in ESM.
    const listener = pgListen.default(
      {
        ...toDatabaseConnection(connectionString),
        application_name: 'wallet-sync listen',
        connectionTimeoutMillis: connectWithinMs,
        // pg-listen shows neither its client nor its socket, and a half-open one must be cut to be rid of it.
        stream: () => (socket = new Socket()),
      },
      { retryLimit: 1, paranoidChecking: false, parse: (raw) => raw },
    );

    const fail = (message: string, cause: unknown): void => {
      subscriber.error(new AppError('network', message, { where: 'LISTEN connection', cause }));
    };
    // Stays attached after the end: an 'error' event that nobody hears would end the process.
    listener.events.on('error', (error) => {
      // While it is being made, `start` fails with the server's own words; this event only says that pg-listen did not try again.
      if (isListening) fail('the connection was lost', error);
    });
    listener.events.on('notification', ({ channel, payload, processId }) => {
      subscriber.next({ type: 'notification', channel, payload, senderPid: processId });
    });

    const start = async (): Promise<void> => {
      await listener.connect();
      for (const channel of channels) await listener.listenTo(channel);
    };
    const limit = setTimeout(() => fail('connecting took too long', undefined), connectWithinMs);
    start()
      .then(() => {
        isListening = true;
        subscriber.next({ type: 'listening' });
      })
      .catch((error: unknown) => fail(error instanceof Error && error.message !== '' ? error.message : 'could not connect', error))
      .finally(() => clearTimeout(limit));

    return () => {
      clearTimeout(limit);
      const cut = setTimeout(() => socket?.destroy(), CLOSE_GRACE_MS);
      // Nobody waits for the close, and a connection that is already gone cannot refuse it.
      void Promise.resolve(listener.close())
        .catch(() => undefined)
        .finally(() => {
          clearTimeout(cut);
          socket?.destroy();
        });
    };
  });
}
