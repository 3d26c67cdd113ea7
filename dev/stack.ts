import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../src/journal/migrate.js';
import { createLog } from '../src/log.js';
import { startAccessNodeProxy, type AccessNodeProxy } from './accessNodeProxy.js';
import { prepareChain } from './chain.js';
import { startEmulator, type Emulator } from './emulator.js';
import { startGateway, type Gateway } from './gateway/gateway.js';
import { startGuard } from './guard.js';
import { startPostgres, type Postgres } from './postgres.js';

export interface StackOptions {
  /** The emulator's block time, in milliseconds. Default 500. */
  readonly blockTimeMs?: number;
  /** Blocks after which a reference block is too old. Default 600, as on mainnet. */
  readonly transactionExpiry?: number;
  /** Funding accounts. Default 9. */
  readonly funders?: number;
  readonly onProgress?: (text: string) => void;
}

export interface Stack {
  readonly postgres: Postgres;
  readonly gateway: Gateway;
  readonly emulator: Emulator;
  /** Stands before the emulator and enforces the public limits; the daemon speaks to it alone. */
  readonly accessNode: AccessNodeProxy;
  /** Role supabase_auth_admin: signs users up. */
  readonly authPool: pg.Pool;
  /** Role wallet_sync_service: reads what the daemon reads. */
  readonly servicePool: pg.Pool;
  /** A folder of the stack's own, gone with it. */
  readonly folder: string;
  /** Never resolves; rejects when Postgres or the emulator ends unasked. */
  readonly died: Promise<never>;
  /** The settings a daemon needs to run on it. */
  env(): Record<string, string>;
  /** Applies sql/ as its owner. */
  migrate(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the embedded stack: Postgres with sql/ applied, the Supabase gateway, the emulator with funders and BaitCoin, and the proxy
 * with the public limits. Everything is removed on `stop`, and by guards when this process ends otherwise.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const stops: (() => Promise<unknown>)[] = [];
  /** Last started, first stopped; each is stopped whatever becomes of the others. */
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each().catch(() => undefined);
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), 'wallet-sync-stack-'));
    const guard = startGuard({ folder });
    stops.push(async () => {
      await rm(folder, { recursive: true, force: true });
      guard.release();
    });

    const emulatorStarts = startEmulator({
      ...(options.blockTimeMs === undefined ? {} : { blockTimeMs: options.blockTimeMs }),
      ...(options.transactionExpiry === undefined ? {} : { transactionExpiry: options.transactionExpiry }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    // Also where something else fails before it is up: it is waited for, then stopped.
    emulatorStarts.catch(() => undefined);
    stops.push(async () => (await emulatorStarts).stop());
    const postgres = await startPostgres();
    stops.push(() => postgres.stop());
    const password = randomBytes(16).toString('hex');
    const applySql = async (): Promise<void> => {
      await migrate({ connectionString: postgres.url('postgres'), log: createLog({ level: 'silent' }) });
      await postgres.query('postgres', `alter role wallet_sync_service with password '${password}'`);
    };
    await applySql();
    const gateway = await startGateway({ postgres });
    stops.push(() => gateway.stop());
    const emulator = await emulatorStarts;
    const { flowJson } = await prepareChain({ restUrl: emulator.restUrl, servicePrivateKey: emulator.servicePrivateKey, folder, ...(options.funders === undefined ? {} : { funders: options.funders }) });
    const accessNode = await startAccessNodeProxy({ target: emulator.restUrl });
    stops.push(() => accessNode.stop());

    const authPool = openPool(postgres.url('supabase_auth_admin'));
    const servicePool = openPool(postgres.url('wallet_sync_service', password));
    stops.push(() => authPool.end(), () => servicePool.end());

    const died = Promise.race([postgres.died, emulator.died]);
    died.catch(() => undefined);
    const settings = {
      DATABASE_URL: postgres.url('wallet_sync_service', password),
      SUPABASE_URL: gateway.url,
      SUPABASE_SERVICE_ROLE_KEY: gateway.serviceRoleKey,
      NETWORK: 'emulator',
      FLOW_ACCESS_NODE: accessNode.url,
      FLOW_JSON: flowJson,
      WALLET_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      ACCOUNTS_DIR: join(folder, 'accounts'),
      // Any free one: several daemons may run on one stack.
      HTTP_PORT: '0',
    };
    return { postgres, gateway, emulator, accessNode, authPool, servicePool, folder, died, env: () => ({ ...settings }), migrate: applySql, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 8 });
  pool.on('error', () => undefined); // A restart of the server is part of some tests.
  return pool;
}
