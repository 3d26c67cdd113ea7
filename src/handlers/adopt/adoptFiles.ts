import { join } from 'node:path';
import { checkKeys } from '../../flow/checkKeys.js';
import { readOldEntries, readOldKeyFile, type OldEntry } from '../../files/oldAccounts.js';
import { contested, inOthersRows, keepFileKeys, oldRowsOf, type OldRow, type RowChange } from '../../journal/adopted.js';
import { makeWallets } from '../../journal/sweepPages.js';
import type { Instance } from '../instance.js';
import { SWEEP_PRIORITY } from '../priority.js';
import { holdMasterKey, stopped, type Adoption } from './adoption.js';
import { refuse, type AdoptClass } from './classes.js';
import { claimOf, judgeClaim, type ReadKey } from './classify.js';
import { confirmMissing } from './confirmMissing.js';
import { readKey } from './readKey.js';
import { digestOf, readPlainKey } from './oldKeys.js';
import { readAddress } from './spelling.js';
import { togetherElseAlone } from './togetherElseAlone.js';
import { writePage, type Planned } from './writePage.js';

const PAGE = 500;

interface Found {
  readonly entry: OldEntry;
  readonly row: OldRow | undefined;
  readonly key: ReadKey;
  class: AdoptClass;
  reason: string;
  /** As it is spelled here; null: it does not go into the table. */
  address: string | null;
}

/**
 * Takes over flow-production.json and its key files: a user without a key in the table gets the file's, where the chain agrees. What is in the table
 * already is compared; a file that disagrees, or has no account on chain, is kept in the history, because a running daemon writes the table's values over it.
 */
export async function adoptFiles(adoption: Adoption): Promise<void> {
  const { instance, options, reporter } = adoption;
  const entries = await readOldEntries(join(instance.settings.ACCOUNTS_DIR, 'flow-production.json'));
  for (let from = 0; from < entries.length; from += PAGE) {
    if (options.signal.aborted) throw stopped();
    const found = await lookAt(adoption, entries.slice(from, from + PAGE));
    if (!options.isDryRun) await writeAll(adoption, found);
    for (const each of found) reporter.found(each.class, each.entry.authId, each.reason === '' ? 'key file' : `key file: ${each.reason}`);
    reporter.did.files += found.length;
  }
}

async function lookAt(adoption: Adoption, entries: readonly OldEntry[]): Promise<Found[]> {
  const { instance, shared, call } = adoption;
  const rows = new Map((await oldRowsOf(instance.journal, entries.map(({ authId }) => authId))).map((row) => [row.authId, row]));
  const found: Found[] = [];
  for (const entry of entries) found.push(await compare(adoption, entry, rows.get(entry.authId)));
  const claims = found.flatMap((each) => (each.address === null || each.key.kind !== 'key' ? [] : [{ each, key: each.key, claim: { authId: each.entry.authId, address: each.address, publicKey: each.key.publicKey } }]));
  const onChain = await call(() => checkKeys({ accessNode: instance.node, cadence: instance.cadence, wallets: claims.map(({ claim }) => claim), priority: SWEEP_PRIORITY }));
  const isContested = new Set([...(await contested(instance.journal, claims.map(({ claim }) => claim))), ...(await inOthersRows(instance.journal, claims.map(({ claim }) => claim)))]);
  for (const [i, { each, key, claim }] of claims.entries()) {
    const judged = judgeClaim({ authId: each.entry.authId }, key, claim, onChain[i] ?? 'no account', { shared, isContested: isContested.has(i) });
    each.class = judged.class === 'plaintext' ? 'key-file' : judged.class;
    each.reason = judged.reason;
    if (each.class !== 'key-file') each.address = null;
  }
  // A user whose only key is put aside gets another account.
  await confirmMissing(adoption, claims.flatMap(({ each, claim }) => (each.class === 'missing-on-chain' ? [{ each, address: claim.address }] : [])));
  return found;
}

/** What an entry is, before the chain is asked. */
async function compare(adoption: Adoption, entry: OldEntry, row: OldRow | undefined): Promise<Found> {
  const { instance } = adoption;
  const decided = (name: AdoptClass, reason: string, key: ReadKey = { kind: 'none' }): Found => ({ entry, row, key, class: name, reason, address: null });
  let text = entry.key;
  if (text === null) {
    const file = await readOldKeyFile(instance.settings.ACCOUNTS_DIR, entry.authId);
    // The table has the key, and the daemon writes the file again.
    if (file.kind === 'missing') return row?.privateKey == null ? decided('unsafe-file', 'there is no pkeys/<id>.pkey') : decided('in-table', '');
    if (file.kind === 'refused') return decided('unsafe-file', file.reason);
    text = file.text;
  }
  const read = readPlainKey(text);
  if ('fault' in read) return decided('does-not-open', read.fault);
  const key: ReadKey = { kind: 'key', shape: 'plaintext', ...read };
  const place = readAddress(entry.address, instance.network.name);
  const address = place.kind === 'of this network' ? place.address : null;

  if (row !== undefined && (row.hasAccount || row.privateKey !== null)) {
    const there = row.hasAccount ? (row.publicKey ?? '') : publicKeyOf(await readKey(adoption, row)) ?? '';
    const theirs = row.address === null ? null : readAddress(row.address, instance.network.name);
    const isSamePlace = theirs !== null && (theirs.kind === 'of this network' ? theirs.address === address : row.address?.toLowerCase() === entry.address.toLowerCase());
    return there === key.publicKey && isSamePlace ? decided('in-table', '') : decided('conflict', 'its address or key is not the table\'s', key);
  }
  // What the row has of address and public key must be the file's.
  const claimed = claimOf({ ...(row ?? EMPTY), address: entry.address, privateKey: text, hasAccount: false, authId: entry.authId }, key, instance.network.name);
  if (row?.address != null) {
    const theirs = readAddress(row.address, instance.network.name);
    if (theirs.kind !== 'of this network' || theirs.address !== address) return decided('conflict', 'its address is not the table\'s', key);
  }
  if (claimed.kind === 'decided') return decided(claimed.class, claimed.reason, key);
  return { entry, row, key, class: 'key-file', reason: '', address: claimed.address };
}

const EMPTY: OldRow = { id: '', authId: null, address: null, publicKey: null, privateKey: null, boundTo: null, hasAccount: false, asRecorded: false };
const publicKeyOf = (key: ReadKey): string | null => (key.kind === 'key' ? key.publicKey : null);

/** Puts the files' keys into the table, or, where they don't belong there, into the history. */
async function writeAll(adoption: Adoption, found: readonly Found[]): Promise<void> {
  const work = found.filter((each) => each.key.kind === 'key' && each.class !== 'in-table' && each.class !== 'refused');
  await togetherElseAlone(work, (some) => write(adoption, some), refuse);
}

/** One transaction. */
async function write({ instance, reporter, call }: Adoption, some: readonly Found[]): Promise<void> {
  const taken = some.filter((each) => each.address !== null);
  const kept = some.flatMap((each) => (each.address === null && each.key.kind === 'key' ? [{ each, key: each.key }] : []));
  const written = await call(() =>
    instance.journal.transaction(async (db) => {
      await holdMasterKey(db, instance.vault);
      await keepFileKeys(db, kept.map(({ each, key }) => ({ authId: each.entry.authId, address: each.entry.address, publicKey: key.publicKey, sealedKey: instance.vault.seal(key.privateKey, key.publicKey) })));
      const rowless = taken.filter(({ row }) => row === undefined).map(({ entry }) => entry.authId);
      // In this transaction: a daemon that saw the empty row would give its user a new account.
      if (rowless.length > 0) await makeWallets(db, rowless);
      const made = new Map((await oldRowsOf(db, rowless)).map((row) => [row.authId, row]));
      const planned = taken.flatMap((each) => {
        const row = each.row ?? made.get(each.entry.authId);
        return row === undefined ? [] : [planFor(instance, each, row)];
      });
      return writePage(db, instance.id, planned);
    }),
  );
  for (const each of taken) {
    if (written.adopted.has(each.entry.authId)) {
      reporter.did.adopted += 1;
      reporter.did.sealed += 1;
      continue;
    }
    refuse(each, 'its user may have no wallet (PROVISION), or got another meanwhile');
  }
}

function planFor(instance: Pick<Instance, 'vault'>, { entry, key, address }: Found, row: OldRow): Planned {
  const nothing: Planned = { id: row.id, authId: entry.authId, change: null, stranger: null };
  if (key.kind !== 'key' || address === null) return nothing;
  const privateKey = instance.vault.seal(key.privateKey, key.publicKey);
  const after = { address, publicKey: key.publicKey, privateKey };
  const change: RowChange = { id: row.id, action: 'from-file', oldAddress: row.address, oldPublicKey: row.publicKey, oldDigest: row.privateKey === null ? null : digestOf(row.privateKey), ...after, sealedKey: privateKey, sealedFor: key.publicKey };
  return { ...nothing, change, stranger: { authId: entry.authId, ...after } };
}
