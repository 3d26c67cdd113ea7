import { randomUUID } from 'node:crypto';
import { readEnvironment } from '../../environment.js';
import { createAuditedVault } from '../../handlers/auditedVault.js';
import { rotateKeys, type Rotated, type Unopened } from '../../handlers/rotateKeys.js';
import { countKeys, readMasterKeys, type KeyCount, type MasterKey } from '../../journal/masterKeys.js';
import { checkSchema } from '../../journal/migrate.js';
import { openMasterKeys } from '../../masterKey/openMasterKey.js';
import { masterKeyId } from '../../secrets.js';
import { pickSettings } from '../../settings.js';
import { onStopSignals } from '../../shutdown.js';
import { operator } from '../operator.js';
import { print } from '../output.js';
import { startProgress } from '../progress.js';
import { withJournal } from '../withJournal.js';

/** Keys that don't open are listed up to here. */
const LISTED = 100;

/** `wallet-sync keys rotate`: moves all stored keys to WALLET_ENCRYPTION_KEY_NEXT. Exit status 1 where it could not end. */
export async function runKeysRotate(options: { json: boolean }): Promise<void> {
  const { masterKey, nextMasterKey } = await openMasterKeys(pickSettings(readEnvironment(), ['DATABASE_URL', 'WALLET_ENCRYPTION_KEY', 'WALLET_ENCRYPTION_KEY_NEXT']));
  const progress = startProgress({ unit: 'encrypted copies' });
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  try {
    const rotated = await withJournal(async (journal) => {
      await checkSchema(journal);
      return rotateKeys({
        journal,
        vault: createAuditedVault({ masterKey, nextMasterKey, journal, instanceId: randomUUID() }),
        next: nextMasterKey === undefined ? null : masterKeyId(nextMasterKey),
        by: operator(),
        signal: stop.signal,
        onProgress: progress.show,
      });
    });
    progress.stop();
    if (!rotated.ended) process.exitCode = 1;
    const { from, to, accounts, wallets, kept, ended, unopened } = rotated;
    const json = { from, to, accounts, wallets, kept, ended, does_not_open: unopened.slice(0, LISTED).map((each) => ({ table: each.table, account: each.accountId, user: each.authId, reason: each.reason })), does_not_open_count: unopened.length };
    print(options.json, json, rotatedToText(rotated));
  } finally {
    progress.stop();
  }
}

function rotatedToText({ from, to, accounts, wallets, kept, ended, unopened }: Rotated): string {
  const moved = `Moved ${accounts} accounts' keys, ${wallets} wallets' copies and ${kept} that adoptions kept to master key ${to}.`;
  if (ended) return `${moved}\nNone is under ${from.length === 0 ? 'another one' : from.join(' or ')}. Now set WALLET_ENCRYPTION_KEY to the new one and drop WALLET_ENCRYPTION_KEY_NEXT, for every instance.`;
  if (unopened.length === 0) return `${moved}\nStopped before its end: run it again, it goes on from there. Until then keep both master keys set.`;
  return [
    moved,
    `${unopened.length === 1 ? '1 key does' : `${unopened.length} keys do`} not open and was left as it is; the old master key cannot be given up:`,
    ...unopened.slice(0, LISTED).map((each) => `  ${nameOf(each)}: ${each.reason}`),
    ...(unopened.length > LISTED ? [`  and ${unopened.length - LISTED} more`] : []),
    'Restore these from a backup (docs/custody.md), then run this again.',
  ].join('\n');
}

const nameOf = ({ table, accountId, authId }: Unopened): string => (accountId === null ? `${table}, ${authId === null ? 'a row without user' : `user ${authId}`}` : `account ${accountId}`);

/** `wallet-sync keys rotate --status`: the master keys, and how many keys are under each. */
export async function runKeysStatus(options: { json: boolean }): Promise<void> {
  const { known, counts } = await withJournal(async (journal) => {
    await checkSchema(journal);
    return { known: await readMasterKeys(journal), counts: await countKeys(journal) };
  });
  const keys = [...known.map((key) => statusOf(key, counts)), ...counts.filter((count) => !known.some((key) => key.id === count.id)).map((count) => ({ ...count, state: 'unknown' as const, since: null }))];
  print(options.json, { master_keys: keys, rotating: isRotating(known) }, statusToText(keys, known));
}

interface KeyStatus extends KeyCount {
  /** unknown: keys name it, and no instance ever held it. */
  readonly state: MasterKey['state'] | 'unknown';
  readonly since: string | null;
}

function statusOf(key: MasterKey, counts: readonly KeyCount[]): KeyStatus {
  const count = counts.find((each) => each.id === key.id);
  return { id: key.id, state: key.state, since: key.since.toISOString(), accounts: count?.accounts ?? 0, wallets: count?.wallets ?? 0, kept: count?.kept ?? 0 };
}

const isRotating = (known: readonly MasterKey[]): boolean => known.some((key) => key.state === 'next' || key.state === 'retiring');

function statusToText(keys: readonly KeyStatus[], known: readonly MasterKey[]): string {
  if (keys.length === 0) return 'No master key is registered: the first instance that starts registers its own.';
  const lines = keys.map((key) => `${key.id}  ${key.state.padEnd(8)}  ${key.accounts} accounts, ${key.wallets} wallets, ${key.kept} kept${key.since === null ? '' : `  since ${key.since.slice(0, 19)}Z`}`);
  return [...lines, isRotating(known) ? 'A rotation is under way: `wallet-sync keys rotate` goes on with it.' : 'No rotation is under way.'].join('\n');
}
