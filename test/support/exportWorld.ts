import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_FAULTS } from '../../src/faultPoints.js';
import { createAuditedVault } from '../../src/handlers/auditedVault.js';
import type { ExportInstance } from '../../src/handlers/exportKeys.js';
import type { Journal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';
import { createVault } from '../../src/secrets.js';
import { hex, type Database } from './database.js';

export interface Given {
  readonly authId: string;
  readonly address: string;
  readonly privateKey: string;
}

export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [name: string]: unknown;
}

/** The configuration files' surroundings: a folder of its own, a vault, and accounts given as `wallet_sync.assign` leaves them. */
export interface ExportWorld {
  readonly folder: string;
  readonly masterKey: Buffer;
  in(...parts: string[]): string;
  /** Gives so many accounts, in one transaction. */
  give(count: number): Promise<Given[]>;
  /** As an instance sees it; what it logs goes to `lines`. */
  instance(options?: { readonly pkeyFiles?: boolean; readonly journal?: Journal }): ExportInstance & { readonly lines: LogLine[] };
  /** The file's accounts; none where there is no file. */
  accounts(): Record<string, { address: string }>;
  /** Changes with each write of the file. */
  version(): number;
  remove(): void;
}

export function createExportWorld(database: Database): ExportWorld {
  const base = mkdtempSync(join(tmpdir(), 'wallet-sync-export-'));
  const folder = join(base, 'accounts');
  const masterKey = randomBytes(32);
  const vault = createVault(masterKey);
  const path = join(folder, 'flow-production.json');
  return {
    folder,
    masterKey,
    in: (...parts) => join(folder, ...parts),
    async give(count) {
      const given = Array.from({ length: count }, () => ({ authId: randomUUID(), address: `0x${hex(8)}`, privateKey: hex(32), publicKey: hex(64) }));
      await database.asOwner(
        `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment, assigned_xid)
         select 'assigned', k.public_key, k.private_key, k.address, k.auth_id, clock_timestamp(), nextval('wallet_sync.assignment'), pg_current_xact_id()
         from unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) as k (public_key, private_key, address, auth_id)`,
        [given.map((each) => each.publicKey), given.map((each) => vault.seal(each.privateKey, each.publicKey)), given.map((each) => each.address), given.map((each) => each.authId)],
      );
      return given;
    },
    instance({ pkeyFiles = true, journal = database.journal } = {}) {
      const lines: LogLine[] = [];
      const log = createLog({ level: 'debug', destination: { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) } });
      const id = randomUUID();
      return { id, settings: { ACCOUNTS_DIR: folder, pkeyFiles }, journal, vault: createAuditedVault({ masterKey, journal, instanceId: id }), log, faultPoints: NO_FAULTS, now: Date.now, lines };
    },
    accounts() {
      try {
        return (JSON.parse(readFileSync(path, 'utf8')) as { accounts: Record<string, { address: string }> }).accounts;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
        throw error;
      }
    },
    version: () => statSync(path, { throwIfNoEntry: false })?.ino ?? 0,
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** The real journal, with every statement noted. */
export function noteStatements(journal: Journal): { readonly journal: Journal; readonly statements: string[] } {
  const statements: string[] = [];
  return { statements, journal: { ...journal, query: (text, values) => (statements.push(text), journal.query(text, values)) } };
}
