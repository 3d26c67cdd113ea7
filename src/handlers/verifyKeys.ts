import { setImmediate as nextTurn } from 'node:timers/promises';
import { nameActor, writeOperatorActs } from '../journal/audit.js';
import { countStoredKeys, storedKeys, type KeyFilter, type KeyPage, type StoredKey } from '../journal/storedKeys.js';
import type { KeyOpener } from './auditedVault.js';
import type { Instance } from './instance.js';
import { chainFaultOf, compareKey, KEY_FAULTS, questionOf, type KeyFault, type KeyFaultKind } from './keyFaults.js';
import { checkBatch } from './sweep/checkBatch.js';
import { inOrder } from './sweep/inOrder.js';
import { PATIENCE } from './sweep/persevere.js';
import { createScriptSize } from './sweep/scriptSize.js';

/** Listed at most: more than anybody reads, less than anybody notices in memory. */
const LISTED = 100;
/** A key takes 0.1 ms to open and compare; after so many, others get their turn. */
const KEYS_A_TURN = 50;
/** Scripts under way or waiting for their turn. */
const SCRIPTS_UNDER_WAY = 3;

/** Where keys are compared with the chain. */
export type VerifyChain = Pick<Instance, 'node' | 'cadence' | 'telemetry' | 'network'>;

export interface VerifyOptions {
  readonly filter: KeyFilter;
  /** Null: the chain is not asked. */
  readonly chain: VerifyChain | null;
  /** Who asks, for the audit log. */
  readonly by: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, of: number) => void;
}

/** A key that is not as it should be. */
export interface FaultyKey extends KeyFault {
  readonly accountId: number | null;
  readonly authId: string | null;
  readonly address: string | null;
}

export interface KeysReport {
  /** Keys stored, and those among them that opened and are their public keys'. */
  readonly keys: number;
  readonly sound: number;
  /** Keys that adoptions have kept and that opened, beside these. */
  readonly kept: number;
  /** Copies in public.wallet that were compared. */
  readonly copies: number;
  /** Keys found on their account, with full weight and not revoked; null: the chain was not asked. */
  readonly onChain: number | null;
  readonly faults: Readonly<Record<KeyFaultKind, number>>;
  /** The first 100. */
  readonly listed: readonly FaultyKey[];
  /** False: it was stopped before its end. */
  readonly isWhole: boolean;
}

/**
 * Opens every stored key and compares it with its public key, its copy and the chain. Changes nothing but the audit log, which tells it
 * before the first key is opened and at the end, with the number; throws where the log cannot be written. Memory does not grow with the keys.
 */
export async function verifyKeys(instance: Pick<Instance, 'journal' | 'vault'>, options: VerifyOptions): Promise<KeysReport> {
  const { journal } = instance;
  const { filter, chain, by, signal } = options;
  const why = 'keys verify compares each key with its public key';
  const vault = await instance.vault.openFor({ why, ...(filter.authId === undefined ? {} : { authIds: [filter.authId] }), detail: { by } });
  const size = createScriptSize();
  const tally = createTally(chain !== null);
  const total = await countStoredKeys(journal, filter);
  let rows = 0;

  const work = async (page: KeyPage): Promise<PageResult> => {
    const found = await comparePage(page.keys, vault, signal);
    if (chain === null || signal.aborted) return { ...found, rows: page.rows, onChain: 0 };
    const asked = await askChain(page.keys, chain, { size, signal });
    return { ...found, rows: page.rows, onChain: asked.onChain, faulty: [...found.faulty, ...asked.faulty] };
  };
  const recordCompared = (): Promise<void> => {
    const { keys, faults } = tally.report(false);
    const detail = { why, keys, faults: Object.values(faults).reduce((sum, count) => sum + count, 0) };
    return journal.transaction(async (db) => {
      await nameActor(db, by);
      await writeOperatorActs(db, [{ kind: 'keys-compared', ...(filter.authId === undefined ? {} : { authId: filter.authId }), detail }]);
    });
  };
  try {
    const pages = storedKeys(journal, filter, size.current);
    for await (const result of inOrder(pages, { work, weigh: (page) => page.rows, room: () => SCRIPTS_UNDER_WAY * size.current(), onFull: () => undefined, onBrokenOff: () => undefined })) {
      tally.add(result);
      rows += result.rows;
      options.onProgress(rows, Math.max(total, rows));
      if (signal.aborted) break;
    }
  } catch (thrown) {
    // A call that was given up because of the end says nothing.
    if (!signal.aborted) {
      await recordCompared().catch(() => undefined);
      throw thrown;
    }
  }
  await recordCompared();
  return tally.report(!signal.aborted);
}

interface PageResult {
  readonly rows: number;
  readonly keys: number;
  readonly sound: number;
  readonly kept: number;
  readonly copies: number;
  readonly onChain: number;
  readonly faulty: readonly FaultyKey[];
}

const named = ({ accountId, authId, address }: StoredKey, fault: KeyFault): FaultyKey => ({ accountId, authId, address, ...fault });

async function comparePage(keys: readonly StoredKey[], vault: KeyOpener, signal: AbortSignal): Promise<Pick<PageResult, 'keys' | 'sound' | 'kept' | 'copies' | 'faulty'>> {
  const count = { keys: 0, sound: 0, kept: 0, copies: 0 };
  const faulty: FaultyKey[] = [];
  for (const [i, key] of keys.entries()) {
    if (i % KEYS_A_TURN === KEYS_A_TURN - 1) await nextTurn();
    if (signal.aborted) break;
    const { isSound, faults } = compareKey(key, vault);
    if (key.isKept === true) count.kept += isSound ? 1 : 0;
    else {
      if (!key.isCopyOnly) count.keys += 1;
      if (isSound) count.sound += 1;
    }
    if (key.copy?.privateKey != null) count.copies += 1;
    for (const fault of faults) faulty.push(named(key, fault));
  }
  return { ...count, faulty };
}

/** A key that does not open is asked about too: whether its public key is still the account's tells what is lost. */
async function askChain(keys: readonly StoredKey[], chain: VerifyChain, { size, signal }: { size: ReturnType<typeof createScriptSize>; signal: AbortSignal }): Promise<Pick<PageResult, 'onChain' | 'faulty'>> {
  const faulty: FaultyKey[] = [];
  const asked: { key: StoredKey; question: { address: string; publicKey: string } }[] = [];
  for (const key of keys) {
    const question = questionOf(key, chain.network.name);
    if (question === null) continue;
    if ('fault' in question) faulty.push(named(key, question));
    else asked.push({ key, question });
  }
  const checks = await checkBatch(chain, asked.map((each) => each.question), { size, signal, patience: PATIENCE, onCall: () => undefined });
  let onChain = 0;
  for (const [i, { key }] of asked.entries()) {
    const check = checks[i];
    if (check === undefined) continue;
    const fault: KeyFault | null = check.kind === 'alone' ? { fault: 'not-compared', reason: `looking at it fails: ${check.error.message}`, mend: 'look at the account on chain: something in it makes the script fail' } : chainFaultOf(key, check.height, check.wallet);
    if (fault === null) onChain += 1;
    else faulty.push(named(key, fault));
  }
  return { onChain, faulty };
}

function createTally(asksChain: boolean): { add(result: PageResult): void; report(isWhole: boolean): KeysReport } {
  const faults = Object.fromEntries(KEY_FAULTS.map((kind) => [kind, 0])) as Record<KeyFaultKind, number>;
  const listed: FaultyKey[] = [];
  const sums = { keys: 0, sound: 0, kept: 0, copies: 0, onChain: 0 };
  return {
    add(result) {
      for (const name of ['keys', 'sound', 'kept', 'copies', 'onChain'] as const) sums[name] += result[name];
      for (const each of result.faulty) {
        faults[each.fault] += 1;
        if (listed.length < LISTED) listed.push(each);
      }
    },
    report: (isWhole) => ({ ...sums, onChain: asksChain ? sums.onChain : null, faults: { ...faults }, listed, isWhole }),
  };
}
