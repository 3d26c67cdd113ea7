import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type pretty from 'pino-pretty';
import type { LogTail } from './logTail.js';
import { createRedactor } from './redact.js';

const require = createRequire(import.meta.url);

export type Log = Logger;

/** Property names whose values never reach a log line, at any depth. */
export const SECRET_KEYS = [
  'privateKey',
  'private_key',
  'flow_private_key',
  'encryptedPrivateKey',
  'serviceRoleKey',
  'apikey',
  'encryptionKey',
  'password',
  'token',
  'authorization',
  'cookie',
  'connectionString',
  'databaseUrl',
  // Settings go by the names of their variables.
  'WALLET_ENCRYPTION_KEY',
  'WALLET_ENCRYPTION_KEY_NEXT',
  'SUPABASE_SERVICE_ROLE_KEY',
  'DATABASE_URL',
  'MIGRATE_DATABASE_URL',
  'HTTP_TOKEN',
  'WEBHOOK_SECRET',
] as const;

export interface LogOptions {
  readonly level: string;
  /** Pretty lines for a person; NDJSON otherwise. Default: whether it goes to standard output and that is a terminal. */
  readonly pretty?: boolean;
  readonly destination?: DestinationStream;
  /** Gets each line too. */
  readonly tail?: LogTail;
}

/** The program's log: constant messages, variables as keys, secrets removed by name. NDJSON on standard output. */
export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    hooks: { streamWrite: createRedactor(SECRET_KEYS) },
  };
  const { destination, tail } = options;
  const isPretty = options.pretty ?? (destination === undefined && process.stdout.isTTY);
  // Synchronous on purpose: a worker-thread transport would lose the last lines of a process that is being stopped.
  // Loaded where it is wanted: 70 ms.
  const out: DestinationStream = isPretty
    ? (require('pino-pretty') as typeof pretty)({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', ...(destination === undefined ? {} : { destination: toWritable(destination), colorize: process.stderr.isTTY }) })
    : (destination ?? pino.destination(1));
  return pino(settings, tail === undefined ? out : toBoth(out, tail));
}

function toBoth(out: DestinationStream, tail: LogTail): DestinationStream {
  return {
    write(line) {
      out.write(line);
      tail.write(line);
    },
  };
}

/** pino-pretty wants a stream where pino wants anything that takes a line. */
function toWritable(destination: DestinationStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      destination.write(chunk);
      done();
    },
  });
}
