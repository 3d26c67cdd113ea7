import pLimit from 'p-limit';
import { AppError } from '../../errors.js';
import { checkKeys } from '../../flow/checkKeys.js';
import { contested, countRows, oldRowsAfter, oldRowsOf, sharedKeys, someOldBlobs, type OldRow, type RowChange } from '../../journal/adopted.js';
import { writeAudit } from '../../journal/audit.js';
import { sayChanged } from '../../journal/control.js';
import { sharedAddresses } from '../../journal/sweepPages.js';
import type { Instance } from '../instance.js';
import { SWEEP_PRIORITY } from '../priority.js';
import { PATIENCE, persevere } from '../sweep/persevere.js';
import { adoptFiles } from './adoptFiles.js';
import { holdMasterKey, stopped, type Adoption, type AdoptOptions } from './adoption.js';
import { refuse, type AdoptClass } from './classes.js';
import { claimOf, judgeClaim, type ReadKey } from './classify.js';
import { confirmMissing } from './confirmMissing.js';
import { createBlobReader, digestOf, type BlobReader } from './oldKeys.js';
import { readKey } from './readKey.js';
import { createReporter, type AdoptReport } from './report.js';
import { readPublicKey } from './spelling.js';
import { togetherElseAlone } from './togetherElseAlone.js';
import { writePage, type Planned, type Written } from './writePage.js';

/** Rows held at once, and written in one transaction. Their memory is all that grows with it. */
const PAGE = 500;
/** Node has four threads for this; a few more wait for none of them to stand idle. */
const DERIVING = 8;
/** More than anybody mends by hand. */
const SHARED = 10_000;
/** A passphrase that opens none of so many is a wrong one. */
const PROBED = 20;

/**
 * Takes over what an older service left in public.wallet and in ACCOUNTS_DIR, page by page. Each page is one transaction that changes only rows whose
 * old texts still stand, so it may be stopped anywhere, run again, and run beside daemons and other adoptions. Throws `usage` where the passphrase
 * opens nothing, before anything is changed; `data` where it was stopped.
 */
export async function adopt(instance: Instance, options: AdoptOptions): Promise<AdoptReport> {
  const { journal } = instance;
  const reporter = createReporter(options.missing);
  const blobs = createBlobReader(options.passphrase);
  const opener = await instance.vault.openFor({ why: 'to adopt the wallets of an older service', detail: { dry_run: options.isDryRun } });
  if (!options.withoutBlobs) await requirePassphrase(instance, blobs);
  const adoption: Adoption = {
    instance,
    options,
    reporter,
    opener,
    blobs,
    shared: { addresses: new Set(await sharedAddresses(journal, SHARED)), ...(await sharedKeys(journal, SHARED)) },
    call: (work) => persevere(PATIENCE, options.signal, work),
  };
  await adoptFiles(adoption);
  const total = await countRows(journal);
  let after: string | null = null;
  for (;;) {
    if (options.signal.aborted) throw stopped();
    const rows: OldRow[] = await oldRowsAfter(journal, after, Math.min(PAGE, instance.settings.PAGE_SIZE));
    after = rows.at(-1)?.id ?? after;
    if (rows.length === 0) break;
    await adoptPage(adoption, rows, (done) => options.onProgress(reporter.did.rows + done, total));
    reporter.did.rows += rows.length;
  }
  const { sealed, adopted, provisioned } = reporter.did;
  await writeAudit(journal, instance.id, [{ kind: 'keys-compared', detail: { why: 'to adopt the wallets of an older service', dry_run: options.isDryRun, keys: reporter.did.rows, sealed, adopted, provisioned } }]);
  // Users of emptied rows wait: a running instance serves them.
  if (provisioned > 0) await sayChanged(journal);
  return reporter.report();
}

/** What is left after an adoption may not open for good reasons: then what it re-wrapped proves the passphrase. */
async function requirePassphrase(instance: Instance, blobs: BlobReader): Promise<void> {
  const { left: some, done } = await someOldBlobs(instance.journal, PROBED);
  if (some.length === 0) return;
  const read = await Promise.all([...some, ...done].map((text) => blobs.read(text)));
  if (read.some((key) => !('fault' in key))) return;
  throw new AppError('usage', `the passphrase opens none of ${some.length === PROBED ? `the first ${PROBED}` : `the ${some.length}`} keys that an older service seems to have encrypted; nothing was changed`, {
    where: 'ADOPT_ENCRYPTION_KEY',
    mend: 'set it to the WALLET_ENCRYPTION_KEY of the older service, exactly as its text was; or leave such keys as they are with --without-blobs',
  });
}

interface Looked {
  readonly row: OldRow;
  readonly key: ReadKey;
  class: AdoptClass;
  reason: string;
  /** Its key is read, and is encrypted where it is not. */
  isSealed: boolean;
  /** As it is spelled here; null: it is no address of this network. */
  address: string | null;
}

/** Reads the keys of a page, asks the chain, and writes what follows. */
async function adoptPage(adoption: Adoption, rows: readonly OldRow[], onRead: (done: number) => void): Promise<void> {
  const { instance, options, reporter } = adoption;
  const looked = await lookAt(adoption, rows, onRead);
  if (!options.isDryRun) await writeAll(adoption, looked.map((each) => ({ each, planned: plan(adoption, each) })));
  for (const each of looked) reporter.found(each.class, each.row.authId ?? `row ${each.row.id}`, each.reason);
  instance.log.debug({ rows: rows.length }, 'rows adopted');
}

async function lookAt(adoption: Adoption, rows: readonly OldRow[], onRead: (done: number) => void): Promise<Looked[]> {
  const { instance, options, shared, call } = adoption;
  const limit = pLimit(DERIVING);
  let read = 0;
  const looked = await Promise.all(
    rows.map((row) =>
      limit(async (): Promise<Looked & { publicKey?: string }> => {
        if (options.signal.aborted) throw stopped();
        const key = await readKey(adoption, row);
        onRead((read += 1));
        const claimed = claimOf(row, key, instance.network.name);
        if (claimed.kind === 'decided') return { row, key, class: claimed.class, reason: claimed.reason, isSealed: claimed.isSealed, address: null };
        return { row, key, class: 'refused', reason: '', isSealed: true, address: claimed.address, publicKey: claimed.publicKey };
      }),
    ),
  );
  const claims = looked.flatMap((each) => (each.publicKey === undefined || each.address === null ? [] : [{ each, claim: { authId: each.row.authId, address: each.address, publicKey: each.publicKey } }]));
  const onChain = await call(() => checkKeys({ accessNode: instance.node, cadence: instance.cadence, wallets: claims.map(({ claim }) => claim), priority: SWEEP_PRIORITY }));
  const isContested = await contested(instance.journal, claims.map(({ claim }) => claim));
  for (const [i, { each, claim }] of claims.entries()) {
    if (each.key.kind !== 'key') continue;
    const judged = judgeClaim(each.row, each.key, claim, onChain[i] ?? 'no account', { shared, isContested: isContested.has(i) });
    each.class = judged.class;
    each.reason = judged.reason;
  }
  // A row is emptied on this alone.
  if (options.missing === 'provision') await confirmMissing(adoption, looked.flatMap((each) => (each.class === 'missing-on-chain' && each.address !== null ? [{ each, address: each.address }] : [])));
  return looked;
}

function plan({ instance, options }: Adoption, { row, key, class: name, isSealed, address }: Looked): Planned {
  const nothing: Planned = { id: row.id, authId: row.authId, change: null, stranger: null };
  // Only what the chain answered for, or what was read, is written; a row that two answers contradict stays as it is.
  if (key.kind !== 'key' || !isSealed || name === 'refused') return nothing;
  const before = { id: row.id, oldAddress: row.address, oldPublicKey: row.publicKey, oldDigest: row.privateKey === null ? null : digestOf(row.privateKey) };
  const stated = row.publicKey === null ? key.publicKey : (readPublicKey(row.publicKey) ?? key.publicKey);
  // A ciphertext of ours stays the one that it is, unless it is bound to a public key that the row has no more.
  const isKept = key.shape === 'ours' && row.publicKey !== null;
  const seal = (publicKey: string): string => (isKept ? (row.privateKey ?? '').trim() : instance.vault.seal(key.privateKey, publicKey));
  if (name === 'missing-on-chain' && options.missing === 'provision' && row.authId !== null) {
    const change: RowChange = { ...before, action: 'provisioned', address: null, publicKey: null, privateKey: null, sealedKey: seal(key.publicKey), sealedFor: key.publicKey };
    return { ...nothing, change };
  }
  const isSound = name === 'plaintext' || name === 'old-blob' || name === 'encrypted';
  const after = { address: isSound || name === 'no-user' ? address : row.address, publicKey: stated, privateKey: seal(stated) };
  const isSame = after.address === row.address && after.publicKey === row.publicKey && after.privateKey === row.privateKey;
  const action = key.shape === 'plaintext' ? 'encrypted' : key.shape === 'old-blob' ? 're-wrapped' : 'respelled';
  return {
    ...nothing,
    change: isSame || (isKept && !isSound) ? null : { ...before, ...after, action, sealedKey: after.privateKey, sealedFor: stated },
    stranger: isSound && row.authId !== null && after.address !== null ? { authId: row.authId, address: after.address, publicKey: after.publicKey, privateKey: after.privateKey } : null,
  };
}

/** A row with what becomes of it. */
interface Work {
  readonly each: Looked;
  readonly planned: Planned;
}

async function writeAll(adoption: Adoption, all: readonly Work[]): Promise<void> {
  const { instance, call } = adoption;
  const work = all.filter(({ planned: { change, stranger } }) => change !== null || stranger !== null);
  const write = async (some: readonly Work[]): Promise<void> => {
    const written = await call(() =>
      instance.journal.transaction(async (db) => {
        await holdMasterKey(db, instance.vault);
        return writePage(db, instance.id, some.map(({ planned }) => planned));
      }),
    );
    await settle(adoption, some, written);
  };
  await togetherElseAlone(work, write, ({ each }, reason) => refuse(each, reason));
}

async function settle({ reporter, instance }: Adoption, work: readonly Work[], { changed, adopted }: Written): Promise<void> {
  const others = work.flatMap(({ planned: { stranger } }) => (stranger === null || adopted.has(stranger.authId) ? [] : [stranger.authId]));
  // A sweep may have taken it into the journal meanwhile.
  const bySweep = new Set((others.length === 0 ? [] : await oldRowsOf(instance.journal, others)).flatMap((row) => (row.asRecorded ? [row.authId] : [])));
  for (const { each, planned: { id, change, stranger } } of work) {
    if (change !== null && !changed.has(id)) {
      refuse(each, change.action === 'provisioned' ? 'its user may have no wallet (PROVISION), or the row changed or was held meanwhile' : 'the row changed or was held meanwhile');
      continue;
    }
    if (change?.action === 'provisioned') reporter.did.provisioned += 1;
    if (change?.action === 'encrypted' || change?.action === 're-wrapped') reporter.did.sealed += 1;
    if (stranger === null) continue;
    if (adopted.has(stranger.authId)) reporter.did.adopted += 1;
    else if (!bySweep.has(stranger.authId)) {
      each.class = 'shared';
      each.reason = 'its address or key became another\'s meanwhile, or the row was held: adopt again';
      instance.log.warn({ authId: stranger.authId, address: stranger.address }, 'wallet not adopted: its address or key is another\'s, or its row was held');
    }
  }
}
