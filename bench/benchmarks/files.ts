import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startMigrated } from '../../dev/signUpCost.js';
import { NO_FAULTS } from '../../src/faultPoints.js';
import { createAuditedVault } from '../../src/handlers/auditedVault.js';
import { createConfigExport } from '../../src/handlers/exportConfig.js';
import { openJournal } from '../../src/journal/pool.js';
import { createLog } from '../../src/log.js';
import { writeWholeConfig } from '../contenders/baseline.js';
import { shown, type Benchmark } from '../frame/benchmark.js';

const WALLETS = 10_000;
const PASSWORD = 'bench';

export const files: Benchmark = {
  name: 'files',
  title: 'Files',
  measures: 'Keeping flow-production.json while wallets arrive one by one: bytes written and time.',
  async run(context) {
    const wallets = context.isQuick ? 300 : WALLETS;
    const folder = await mkdtemp(join(tmpdir(), 'wallet-sync-bench-files-'));
    context.onEnd(() => rm(folder, { recursive: true, force: true }));
    const postgres = await startMigrated();
    context.onEnd(() => postgres.stop());
    await postgres.query('postgres', `alter role wallet_sync_service with password '${PASSWORD}'`);
    const log = createLog({ level: 'silent' });
    const journal = openJournal({ connectionString: postgres.url('wallet_sync_service', PASSWORD), log });
    context.onEnd(() => journal.close());
    const id = randomUUID();
    const path = join(folder, 'ours', 'flow-production.json');
    const configExport = createConfigExport({ id, settings: { ACCOUNTS_DIR: join(folder, 'ours'), pkeyFiles: false }, journal, vault: createAuditedVault({ masterKey: randomBytes(32), journal, instanceId: id }), log, faultPoints: NO_FAULTS, now: Date.now });

    const given: { authId: string; address: string }[] = [];
    const ours = { bytes: 0, ms: 0, writes: 0 };
    const theirs = { bytes: 0, ms: 0 };
    let inode = 0;
    for (let n = 0; n < wallets; n += 1) {
      const wallet = { authId: randomUUID(), address: `0x${randomBytes(8).toString('hex')}` };
      given.push(wallet);
      await postgres.query(
        'supabase_admin',
        `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment, assigned_xid)
         values ('assigned', $1, 'none', $2, $3, now(), nextval('wallet_sync.assignment'), pg_current_xact_id())`,
        [randomBytes(64).toString('hex'), wallet.address, wallet.authId],
      );
      const began = performance.now();
      await configExport.follow();
      const between = performance.now();
      theirs.bytes += await writeWholeConfig(join(folder, 'baseline', 'flow-production.json'), given);
      theirs.ms += performance.now() - between;
      ours.ms += between - began;
      // A written file is another one: it is replaced whole.
      const now = await stat(path).catch(() => null);
      if (now !== null && now.ino !== inode) {
        inode = now.ino;
        ours.bytes += now.size;
        ours.writes += 1;
      }
      if (n % 100 === 0) context.say('wallets arrive', n / wallets);
    }
    const last = performance.now();
    await configExport.close();
    ours.ms += performance.now() - last;
    return {
      figures: [
        shown('bytes written', ours.bytes / 1e6, 'MB'),
        shown('bytes written, baseline', theirs.bytes / 1e6, 'MB'),
        shown('the baseline’s bytes, of ours', theirs.bytes / ours.bytes, '×', 'higher'),
        shown('time', ours.ms / 1_000, 's'),
        shown('time, baseline', theirs.ms / 1_000, 's'),
        shown('files written', ours.writes, `of ${wallets.toLocaleString('en-US')} arrivals`),
      ],
      series: [
        { contender: 'this', unit: 'MB written', samples: [ours.bytes / 1e6] },
        { contender: 'baseline', unit: 'MB written', samples: [theirs.bytes / 1e6] },
      ],
      remarks: ['Ours looks into the journal after each arrival, syncs each file to the disc and keeps the one before it; the baseline writes the file in place, unsynced.'],
    };
  },
};
