import { setTimeout as delay } from 'node:timers/promises';
import { AppError, toAppError } from '../errors.js';
import { nameActor, writeOperatorActs, type AuditEntry } from '../journal/audit.js';
import { sayChanged } from '../journal/control.js';
import { countKeys, makeCurrent, readMasterKeys, registerNext, requireEveryInstanceHolds, retire, sealingKey, type MasterKey } from '../journal/masterKeys.js';
import type { Db, Journal } from '../journal/pool.js';
import { findWallets, lockAccounts, lockAccountsOf, lockKept, lockWallets, rewrapAccounts, rewrapKept, rewrapWallets, type Rewrapped, type RewrappedWallet, type SealedWallet } from '../journal/rewrap.js';
import { sealedPrefix } from '../secrets.js';
import type { AuditedVault, KeyOpener } from './auditedVault.js';
import { requireMasterKeys } from './requireMasterKeys.js';

/** A batch is locked for some 20 ms; each of its rows goes through Realtime. */
const BATCH = 200;
/** Accounts that nobody has yet: while so many are locked, sign-ups take others of the pool (25). */
const POOL_BATCH = 10;
/** Wallet rows that are found by themselves, in one reading of the table. */
const WALLETS = 100_000;
/** Who holds a row longer than this is passed over until the next pass, which begins after a pause. */
const LOCK_TIMEOUT = "set local lock_timeout = '1s'";
const PAUSE_MS = 200;

/** A stored key that does not open, and so stays under its old master key. */
export interface Unopened {
  /** Where it stands. */
  readonly table: 'wallet_sync.account' | 'public.wallet' | 'wallet_sync.adopted';
  /** The account; null where only a row of public.wallet has it, or what an adoption has kept. */
  readonly accountId: number | null;
  /** The user of that row; null where he is gone. */
  readonly authId: string | null;
  readonly reason: string;
}

export interface Rotated {
  /** The ids of the master keys that keys were moved from, and to. */
  readonly from: readonly string[];
  readonly to: string;
  /** Ciphertexts that this run replaced in wallet_sync.account and in public.wallet. */
  readonly accounts: number;
  readonly wallets: number;
  /** The same in what adoptions have kept (wallet_sync.adopted). */
  readonly kept: number;
  /** No key is under an old master key any more, and none can come. False: some don't open, or it was stopped. */
  readonly ended: boolean;
  readonly unopened: readonly Unopened[];
}

export interface RotateOptions {
  readonly journal: Journal;
  /** Holds the old and the new master key. */
  readonly vault: AuditedVault;
  /** WALLET_ENCRYPTION_KEY_NEXT's id, where it is set. */
  readonly next: string | null;
  /** Who asks, for the audit log. */
  readonly by: string;
  readonly signal: AbortSignal;
  /** Ciphertexts replaced, of so many. */
  readonly onProgress?: (done: number, of: number) => void;
}

/**
 * Moves every stored key to the next master key, while instances run and users sign up. Broken off at any line, it goes on when called
 * again; called twice at once, both share the work.
 *
 * 1. The next master key is registered: from then on no instance starts without it.
 * 2. The accounts that nobody has are moved, so that sign-ups find all of them when
 * 3. it becomes the current one: new keys are sealed under it. What has joined the pool meanwhile is moved in the same transaction.
 * 4. All others are moved, pass by pass, until one finds none in any of the three tables.
 * 5. The old one is retired under a lock that keeps others from storing under it, if a last count finds none.
 *
 * A key is opened and sealed anew, with a new data key: associated data names the master key in both layers, and who once had the old
 * master key and a dump must not have the data key of the new ciphertext.
 *
 * Throws `usage` where the keys that are set are not those, `data` where a living instance does not hold the next one.
 */
export async function rotateKeys(options: RotateOptions): Promise<Rotated> {
  const { journal, vault, signal } = options;
  await requireMasterKeys(journal, vault);
  await sealingKey(journal, vault.keyId);
  const plan = planRotation(await readMasterKeys(journal), vault, options.next);
  const run = createRun(options, plan, await vault.openFor({ why: 'to move it to another master key', detail: { from: plan.from, to: plan.to } }));
  if (!plan.isCurrent) {
    await requireEveryInstanceHolds(journal, plan.to);
    await journal.transaction(async (db) => {
      if (await registerNext(db, plan.to)) await run.tell(db, { kind: 'rotation-started', detail: { from: plan.from, to: plan.to } });
      requireUpToDate(plan, await readMasterKeys(db));
    });
    await run.count();
    await run.movePool();
    if (signal.aborted) return run.end(false);
    await requireEveryInstanceHolds(journal, plan.to);
    await run.makeCurrent();
    // Those that could not be given for a moment can be.
    await sayChanged(journal);
  } else {
    await run.count();
  }
  return run.moveAll();
}

interface Plan {
  readonly from: readonly string[];
  readonly to: string;
  /** It is the current one already: an earlier run has come so far. */
  readonly isCurrent: boolean;
}

function planRotation(known: readonly MasterKey[], vault: AuditedVault, next: string | null): Plan {
  const inState = (state: MasterKey['state']): string[] => known.filter((key) => key.state === state).map((key) => key.id);
  const [current = vault.keyId] = inState('current');
  const retiring = inState('retiring');
  const [begun = retiring.length > 0 ? current : undefined] = inState('next');
  const where = 'WALLET_ENCRYPTION_KEY_NEXT';
  if (begun === undefined && next === null) throw new AppError('usage', 'is missing: it is the master key that keys are moved to', { where, mend: 'make one with `wallet-sync keys generate`, set it for every instance and restart them, then run this again' });
  if (begun !== undefined && next !== null && next !== begun && next !== current && !retiring.includes(next)) throw new AppError('usage', `a rotation to master key ${begun} is under way, and this is ${next}`, { where, mend: `set it to the key with the id ${begun}, and run this again to end that one first` });
  const to = begun ?? next ?? current;
  if (inState('retired').includes(to)) throw new AppError('usage', `master key ${to} was retired by an earlier rotation`, { where, mend: 'make a new one with `wallet-sync keys generate`' });
  // What somebody has written back since an earlier rotation is moved too, as long as its master key is held.
  const stray = inState('retired').filter((id) => vault.keyIds.includes(id));
  return { from: [...(to === current ? [] : [current]), ...retiring, ...stray], to, isCurrent: to === current };
}

/** Between plan and registration another rotation, to another master key, may have begun or even ended. Throws `usage`: nothing is registered then. */
function requireUpToDate({ from, to }: Plan, known: readonly MasterKey[]): void {
  const current = known.find((key) => key.state === 'current');
  const isNext = known.some((key) => key.id === to && key.state === 'next');
  if (current?.id === to || (isNext && current !== undefined && from.includes(current.id))) return;
  throw new AppError('usage', 'another rotation, to another master key, came before this one', { where: 'WALLET_ENCRYPTION_KEY_NEXT', mend: 'look at `wallet-sync keys rotate --status`, and end that one first. Nothing was changed' });
}

interface Moved {
  readonly accounts: number;
  readonly wallets: number;
  readonly kept: number;
}

const NONE: Moved = { accounts: 0, wallets: 0, kept: 0 };
const sumOf = (batch: Moved): number => batch.accounts + batch.wallets + batch.kept;

interface Run {
  tell(db: Db, entry: AuditEntry): Promise<void>;
  count(): Promise<void>;
  movePool(): Promise<boolean>;
  makeCurrent(): Promise<void>;
  moveAll(): Promise<Rotated>;
  end(ended: boolean): Rotated;
}

function createRun({ journal, vault, signal, by, onProgress }: RotateOptions, { from, to }: Plan, opener: KeyOpener): Run {
  const prefixes = from.map(sealedPrefix);
  const moved = { ...NONE };
  let total = 0;
  /** Of the pass under way, by what has them: each once. */
  let unopened = new Map<string, Unopened>();

  const tell = async (db: Db, entry: AuditEntry): Promise<void> => {
    await nameActor(db, by);
    await writeOperatorActs(db, [entry]);
  };
  const note = (db: Db, batch: Moved): Promise<void> => (sumOf(batch) === 0 ? Promise.resolve() : tell(db, { kind: 'keys-rewrapped', detail: { to, ...batch } }));
  const add = (batch: Moved): boolean => {
    moved.accounts += batch.accounts;
    moved.wallets += batch.wallets;
    moved.kept += batch.kept;
    onProgress?.(sumOf(moved), Math.max(total, sumOf(moved)));
    return sumOf(batch) > 0;
  };
  const left = async (db: Db, under: readonly string[] = from): Promise<number> => (await countKeys(db)).filter((each) => under.includes(each.id)).reduce((sum, each) => sum + sumOf(each), 0);

  /** The private key; null where it does not open, which is kept to be told. */
  const open = (sealed: string, publicKey: string | null, whose: Omit<Unopened, 'reason'>): string | null => {
    try {
      if (publicKey === null) throw new AppError('data', 'it has no public key');
      return opener.open(sealed, publicKey);
    } catch (thrown) {
      unopened.set(`${whose.table} ${whose.accountId} ${whose.authId} ${sealed}`, { ...whose, reason: toAppError(thrown).message });
      return null;
    }
  };

  /** One page of accounts, with their users' wallets. Gives the last one's id; null at the end. */
  const moveAccounts = async (db: Db, page: { afterId: number; limit: number; unassigned: boolean }): Promise<{ lastId: number | null; batch: Moved }> => {
    const locked = await lockAccounts(db, { prefixes, ...page });
    const keys = locked.flatMap(({ accountId, publicKey, sealed }): Rewrapped[] => {
      const privateKey = open(sealed, publicKey, { table: 'wallet_sync.account', accountId, authId: null });
      return privateKey === null ? [] : [{ accountId, old: sealed, sealed: vault.seal(privateKey, publicKey, to) }];
    });
    const batch = keys.length === 0 ? NONE : { ...NONE, ...(await rewrapAccounts(db, keys)) };
    await note(db, batch);
    return { lastId: locked.at(-1)?.accountId ?? null, batch };
  };

  /** One page of what adoptions have kept. */
  const moveKeptPage = async (db: Db, page: { afterId: number; limit: number }): Promise<{ lastId: number | null; batch: Moved }> => {
    const locked = await lockKept(db, { prefixes, ...page });
    const keys = locked.flatMap(({ id, authId, publicKey, sealed }) => {
      const privateKey = open(sealed, publicKey, { table: 'wallet_sync.adopted', accountId: null, authId });
      return privateKey === null ? [] : [{ id, old: sealed, sealed: vault.seal(privateKey, publicKey, to) }];
    });
    const batch = { ...NONE, kept: keys.length === 0 ? 0 : await rewrapKept(db, keys) };
    await note(db, batch);
    return { lastId: locked.at(-1)?.id ?? null, batch };
  };

  /** All pages; true where any key was moved. A page that others hold locked is left to the next pass. */
  const movePages = async (move: (db: Db, afterId: number) => Promise<{ lastId: number | null; batch: Moved }>): Promise<boolean> => {
    let hasMoved = false;
    for (let afterId: number | null = 0; afterId !== null && !signal.aborted; ) {
      const from: number = afterId;
      let lastId: number | null = null;
      const batch = await unlessLocked(async () => {
        const page = await journal.transaction(async (db) => {
          await db.query(LOCK_TIMEOUT);
          const page = await move(db, from);
          lastId = page.lastId;
          return page;
        });
        return page.batch;
      });
      hasMoved = add(batch) || hasMoved;
      afterId = lastId;
    }
    return hasMoved;
  };

  /** What a wallet row's key becomes: its account's where that is the same key and has been moved, otherwise a ciphertext of its own. */
  const sealWallet = (wallet: SealedWallet, account: { accountId: number; sealed: string } | undefined): RewrappedWallet | null => {
    const privateKey = open(wallet.sealed, wallet.publicKey, { table: 'public.wallet', accountId: null, authId: wallet.authId });
    if (privateKey === null || wallet.publicKey === null) return null;
    const common = { at: wallet.at, old: wallet.sealed };
    if (account?.sealed.startsWith(sealedPrefix(to)) === true && vault.recognizes(account.sealed, wallet.publicKey) && opener.open(account.sealed, wallet.publicKey) === privateKey) return { ...common, accountId: null, sealed: account.sealed };
    return { ...common, accountId: account?.sealed === wallet.sealed ? account.accountId : null, sealed: vault.seal(privateKey, wallet.publicKey, to) };
  };

  /** The rows of public.wallet that no account has led to. */
  const moveWallets = async (): Promise<boolean> => {
    const places = await findWallets(journal, prefixes, WALLETS);
    let hasMoved = false;
    for (let i = 0; i < places.length && !signal.aborted; i += BATCH) {
      const batch = await unlessLocked(() =>
        journal.transaction(async (db) => {
          await db.query(LOCK_TIMEOUT);
          const wallets = await lockWallets(db, places.slice(i, i + BATCH), prefixes);
          const accounts = new Map((await lockAccountsOf(db, wallets.flatMap(({ publicKey }) => publicKey ?? []))).map((account) => [account.publicKey, account]));
          const keys = wallets.flatMap((wallet) => sealWallet(wallet, accounts.get(wallet.publicKey ?? '')) ?? []);
          const batch = keys.length === 0 ? NONE : { ...NONE, ...(await rewrapWallets(db, keys)) };
          await note(db, batch);
          return batch;
        }),
      );
      hasMoved = add(batch) || hasMoved;
    }
    return hasMoved;
  };

  /** Retires the old master keys; false, and nothing is changed, where a key is still under one of them. */
  const retireAll = (): Promise<boolean> =>
    journal
      .transaction(async (db) => {
        const retired = await retire(db);
        // Also under those that this rotation does not move from: another one may have made its master key the old one meanwhile.
        if ((await left(db, [...from, ...retired])) > 0) throw new StillLeft();
        // Of two rotations that come here together, one ends it.
        if (retired.length > 0) await tell(db, { kind: 'rotation-ended', detail: { from: retired, to } });
        return true;
      })
      .catch((thrown: unknown) => {
        if (thrown instanceof StillLeft) return false;
        throw thrown;
      });

  /** The accounts that nobody has. What others have locked is left to the change itself, or to the next pass. */
  const movePool = async (): Promise<boolean> => {
    const hasMoved = await movePages((db, afterId) => moveAccounts(db, { afterId, limit: POOL_BATCH, unassigned: true }));
    // Looks that came meanwhile passed over what was locked, or under the old master key, and nothing else tells that it can be given now.
    if (hasMoved) await sayChanged(journal);
    return hasMoved;
  };

  const end = (ended: boolean): Rotated => ({ from, to, ...moved, ended, unopened: [...unopened.values()] });

  return {
    tell,
    end,
    movePool,
    async count() {
      total = await left(journal);
    },
    async makeCurrent() {
      const batches = await journal.transaction(async (db) => {
        await db.query("set local lock_timeout = '5s'");
        if (!(await makeCurrent(db, to))) return [];
        const batches: Moved[] = [];
        for (let afterId: number | null = 0; afterId !== null; ) {
          const page: { lastId: number | null; batch: Moved } = await moveAccounts(db, { afterId, limit: BATCH, unassigned: true });
          batches.push(page.batch);
          afterId = page.lastId;
        }
        return batches;
      });
      for (const batch of batches) add(batch);
    },
    async moveAll() {
      for (let refused = 0; ; ) {
        unopened = new Map();
        const pool = await movePool();
        const accounts = await movePages((db, afterId) => moveAccounts(db, { afterId, limit: BATCH, unassigned: false }));
        const wallets = await moveWallets();
        const kept = await movePages((db, afterId) => moveKeptPage(db, { afterId, limit: BATCH }));
        if (signal.aborted) return end(false);
        const remaining = await left(journal);
        if (remaining === 0 && (await retireAll())) return end(true);
        refused = remaining === 0 ? refused + 1 : 0;
        // Once can be a key that was stored between the two counts.
        if (refused > 1) throw new AppError('data', 'another rotation moves keys on to another master key', { where: 'wallet_sync.master_key', mend: 'set the master keys that `wallet-sync keys rotate --status` shows as retiring and current, and run this again' });
        if (pool || accounts || wallets || kept) continue;
        if (remaining > 0 && (remaining <= unopened.size || unopened.size >= WALLETS)) return end(false);
        await delay(PAUSE_MS);
      }
    },
  };
}

/** Rolls a transaction back. */
class StillLeft extends Error {}

/** Nothing moved where others hold the rows: a pass comes by again. */
async function unlessLocked(work: () => Promise<Moved>): Promise<Moved> {
  try {
    return await work();
  } catch (thrown) {
    const { where } = toAppError(thrown);
    if (where === 'postgres 55P03' || where === 'postgres 40P01') return NONE;
    throw thrown;
  }
}
