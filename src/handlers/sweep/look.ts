import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../errors.js';
import type { WalletToCheck } from '../../flow/checkWallets.js';
import { readApart } from '../../journal/apart.js';
import type { Tally } from '../../journal/cycles.js';
import { readWallets, sharedAddresses, type Corruption, type WalletRow } from '../../journal/sweepPages.js';
import type { UserPage } from '../../users/source.js';
import { writeAudit } from '../../journal/audit.js';
import type { KeyUse } from '../auditedVault.js';
import type { Instance } from '../instance.js';
import { checkBatch, type Check } from './checkBatch.js';
import { digest, type Digest } from './digest.js';
import { createGather } from './gather.js';
import { inOrder } from './inOrder.js';
import type { Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';
import type { SoundKeys } from './soundKeys.js';
import { createCounter, type Counter } from './tally.js';
import { validate } from './validate.js';

/** What one page of users showed. */
export interface Looked extends Digest {
  readonly cursor: string;
  readonly users: number;
  readonly tally: Tally;
}

export interface LookOptions {
  readonly size: ScriptSize;
  /** Keys that earlier sweeps of this process have opened and found sound. Default: none. */
  readonly soundKeys?: SoundKeys | undefined;
  readonly signal: AbortSignal;
  readonly patience: Patience;
  /** What the log says of the keys that are opened: why, and for which cycle. */
  readonly use: KeyUse;
  /** Makes the rows that these users lack, and counts them. */
  readonly makeRows: (authIds: readonly string[]) => Promise<void>;
}

export interface Look {
  /**
   * What each page showed, in the order of the pages; several are under way at once. `onBrokenOff` is called where that ends with pages under way: they
   * fail, and are waited for.
   */
  all(pages: AsyncIterable<UserPage>, onBrokenOff?: () => void): AsyncGenerator<Looked, void>;
  /** Writes to the audit log how many keys were opened. */
  recordOpened(): Promise<void>;
}

/** Users under way at once, in scripts: enough for the limiter always to have one to send. */
const SCRIPTS_UNDER_WAY = 5;
/** Addresses that several users have: more than anybody mends by hand. */
const SHARED = 10_000;

/** A key takes 0.1 ms to open and compare; after so many, others get their turn. */
const KEYS_A_TURN = 50;

interface Asked {
  readonly row: WalletRow;
  readonly address: string;
  readonly publicKey: string;
  readonly answer: Promise<Check>;
}

/** Looks at users page by page; the questions of all pages under way share scripts. */
export async function openLook(instance: Instance, options: LookOptions): Promise<Look> {
  const { journal, settings, network, log } = instance;
  const { size, soundKeys, signal, patience } = options;
  // A first sweep opens every key, and the log tells it once, with their number at its end: one entry a key were a million.
  const vault = await instance.vault.openFor(options.use);
  let opened = 0;
  const shared = new Set(await sharedAddresses(journal, SHARED));
  /** Pages that may still ask. */
  let asking = 0;
  let isLast = false;
  const calls = createCounter();
  /** With nothing to give, no wallet has too little. */
  const threshold = settings.FLOW_FUNDING_AMOUNT > 0n ? settings.FLOW_FUNDING_THRESHOLD : 0n;

  const check = (wallets: readonly WalletToCheck[]): Promise<Check[]> => checkBatch(instance, wallets, { size, signal, patience, onCall: () => calls.call('script') });
  const gather = createGather<WalletToCheck, Check>(size.current, check);
  const drainIfNobodyAsks = (): void => {
    if (isLast && asking === 0) gather.drain();
  };

  /** Master keys that were told of: one line each, however many wallets need it. */
  const missing = new Set<string>();
  const lackMasterKey = (masterKey: string): void => {
    if (missing.has(masterKey)) return;
    missing.add(masterKey);
    log.error({ masterKey, reason: `wallets are encrypted under master key ${masterKey}, which this instance does not hold`, mend: `set WALLET_ENCRYPTION_KEY or WALLET_ENCRYPTION_KEY_NEXT to it and restart; \`wallet-sync keys rotate --status\` counts them` }, 'wallets left alone: their keys cannot be opened here');
  };

  const readRows = async (authIds: readonly string[]): Promise<WalletRow[]> => {
    const rows = await readWallets(journal, authIds);
    const lacking = rows.filter((row) => !row.hasRow && row.state !== 'orphaned').map((row) => row.authId);
    if (lacking.length === 0) return rows;
    await options.makeRows(lacking);
    const made = new Map((await readWallets(journal, lacking)).map((row) => [row.authId, row]));
    return rows.map((row) => made.get(row.authId) ?? row);
  };

  /** Compares each row with itself and the journal, and asks the chain about those that add up. */
  const ask = async (rows: readonly WalletRow[], checkApart: Awaited<ReturnType<typeof readApart>>['check'], counter: Counter, corrupted: Corruption[]): Promise<Asked[]> => {
    const asked: Asked[] = [];
    for (const [i, row] of rows.entries()) {
      if (i % KEYS_A_TURN === KEYS_A_TURN - 1) await nextTurn();
      counter.count('total_wallets');
      const validity = validate(row, { network: network.name, vault: { keyIds: vault.keyIds, open: (sealed, publicKey) => (opened++, vault.open(sealed, publicKey)) }, soundKeys, shared });
      if (validity.kind === 'waiting') counter.count('waiting');
      if (validity.kind === 'left-alone' || validity.kind === 'not-ours-to-open') counter.count('unknown');
      if (validity.kind === 'not-ours-to-open') {
        counter.error('usage');
        lackMasterKey(validity.masterKey);
      }
      if (validity.kind === 'corrupted') corrupted.push({ authId: row.authId, reason: validity.reason, solution: validity.solution });
      if (validity.kind !== 'plausible') continue;
      const { address, publicKey } = validity;
      const apart = checkApart.get(address);
      if (apart?.isDue === false) {
        counter.count('set_apart');
        counter.error('chain-state');
        continue;
      }
      // One that has made a script fail is asked about alone.
      const answer = apart === undefined ? gather.ask({ address, publicKey }) : check([{ address, publicKey }]).then(([only]) => only as Check);
      // Thrown where the page's answers are waited for.
      answer.catch(() => undefined);
      asked.push({ row, address, publicKey, answer });
    }
    return asked;
  };

  const lookAt = async (page: UserPage): Promise<Looked> => {
    asking += 1;
    const counter = createCounter();
    const corrupted: Corruption[] = [];
    let apart: Awaited<ReturnType<typeof readApart>>;
    let asked: Asked[];
    try {
      const rows = await counter.timed('user_fetch', () => readRows(page.users.map((user) => user.id)));
      apart = await readApart(journal, rows.flatMap((row) => (row.address === null ? [] : [row.address])));
      asked = await counter.timed('wallet_validation', () => ask(rows, apart.check, counter, corrupted));
    } finally {
      asking -= 1;
      drainIfNobodyAsks();
    }
    const checks = await counter.timed('blockchain_state_check', () => Promise.all(asked.map((each) => each.answer)));
    const found = digest(asked.map((each, i) => ({ ...each, check: checks[i] as Check })), apart, threshold, counter);
    corrupted.push(...found.corrupted);
    counter.count('corrupted_wallets', corrupted.length);
    for (const each of found.unreachable) log.warn({ ...each, reason: 'its FLOW receiver leads elsewhere', mend: 'its owner publishes the receiver of his FLOW vault again' }, 'wallet cannot be funded');
    return { ...found, corrupted, cursor: page.cursor, users: page.users.length, tally: { ...counter.take(), calls: calls.take().calls } };
  };

  return {
    recordOpened: () => writeAudit(journal, instance.id, [{ kind: 'keys-compared', detail: { ...options.use.detail, why: options.use.why, keys: opened } }]),
    all: (pages, onBrokenOff) =>
      inOrder(pages, {
        work: lookAt,
        weigh: (page) => page.users.length,
        room: () => SCRIPTS_UNDER_WAY * size.current(),
        onFull: (isFull) => {
          isLast = isFull;
          if (isFull) drainIfNobodyAsks();
          else gather.fill();
        },
        onBrokenOff: () => {
          onBrokenOff?.();
          gather.end(new AppError('network', 'the sweep was broken off', { where: 'sweep' }));
        },
      }),
  };
}
