import { announce } from '../../src/handlers/announce.js';
import { createDelivery } from '../../src/handlers/webhook/deliver.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';

/** A process that tells of ready wallets until it is killed: `webhookProcess.ts DATABASE_URL WEBHOOK_URL WEBHOOK_SECRET`. */
const [connectionString = '', url = '', secret = ''] = process.argv.slice(2);
const log = createLog({ level: 'debug', pretty: false });
const journal = openJournal({ connectionString, log });
const settings = { NETWORK: 'emulator', READY_NOTIFY: false, WEBHOOK_URL: url } as const;
const deliver = createDelivery({ journal, log, settings, now: Date.now }, { url, secret, signal: new AbortController().signal, leaseMs: 2_000, timeoutMs: 1_500, firstRetryMs: 50 });
log.info('running');
for (;;) {
  await announce({ journal, settings });
  await deliver();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
