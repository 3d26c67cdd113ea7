import { randomUUID } from 'node:crypto';
import { createAuditedVault } from '../../src/handlers/auditedVault.js';
import { createConfigExport } from '../../src/handlers/exportConfig.js';
import { NO_FAULTS } from '../../src/faultPoints.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';

/** A process that keeps the configuration files until SIGTERM: `exportProcess.ts FOLDER DATABASE_URL MASTER_KEY`. */
const [folder = '', connectionString = '', masterKey = ''] = process.argv.slice(2);
const log = createLog({ level: 'debug', pretty: false });
const journal = openJournal({ connectionString, log });
const id = randomUUID();
const files = createConfigExport(
  { id, settings: { ACCOUNTS_DIR: folder, pkeyFiles: true }, journal, vault: createAuditedVault({ masterKey: Buffer.from(masterKey, 'hex'), journal, instanceId: id }), log, faultPoints: NO_FAULTS, now: Date.now },
  { lockStaleMs: 2_000 },
);
let isStopping = false;
process.on('SIGTERM', () => void (isStopping = true));
log.info('running');
while (!isStopping) {
  await files.flush();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await files.close();
await journal.close();
