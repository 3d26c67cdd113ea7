import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;

/** Property names whose values never reach a log line, at the top or one level down. */
export const SECRET_KEYS = [
  'privateKey',
  'flow_private_key',
  'encryptedPrivateKey',
  'serviceRoleKey',
  'apikey',
  'encryptionKey',
  'password',
  'token',
  'authorization',
  'Authorization',
  'connectionString',
  'databaseUrl',
  // Settings go by the names of their variables.
  'WALLET_ENCRYPTION_KEY',
  'SUPABASE_SERVICE_ROLE_KEY',
  'DATABASE_URL',
  'MIGRATE_DATABASE_URL',
] as const;

export interface LogOptions {
  readonly level: string;
  /** Pretty lines for a person; NDJSON otherwise. Default: whether standard output is a terminal. */
  readonly pretty?: boolean;
  readonly destination?: DestinationStream;
}

/** The program's log: constant messages, variables as keys, secrets removed by name. NDJSON on standard output. */
export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' },
  };
  if (options.destination !== undefined) return pino(settings, options.destination);
  // Synchronous on purpose: a worker-thread transport would lose the last lines of a process that is being stopped.
  if (options.pretty ?? process.stdout.isTTY) return pino(settings, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }));
  return pino(settings);
}
