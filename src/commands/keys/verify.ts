import { z } from 'zod';
import { readEnvironment } from '../../environment.js';
import { AppError } from '../../errors.js';
import { loadCadence } from '../../flow/cadence.js';
import { KEY_FAULTS, type KeyFaultKind } from '../../handlers/keyFaults.js';
import { verifyKeys, type FaultyKey, type KeysReport, type VerifyChain } from '../../handlers/verifyKeys.js';
import { checkSchema } from '../../journal/migrate.js';
import type { Journal } from '../../journal/pool.js';
import { pickSettings, type Environment } from '../../settings.js';
import { onStopSignals } from '../../shutdown.js';
import { createTelemetry } from '../../telemetry/events.js';
import { CHAIN_SETTINGS, openChain } from '../connectChain.js';
import { operator } from '../operator.js';
import { print } from '../output.js';
import { startProgress } from '../progress.js';
import { GATE_SETTINGS, openSharedGate } from '../sharedGate.js';
import { withJournal } from '../withJournal.js';
import { openUserVault } from './userVault.js';

export interface KeysVerifyOptions {
  readonly user: string | undefined;
  readonly chain: boolean;
  readonly json: boolean;
}

/** A script about 2,000 wallets takes a node seconds. */
const CALL_TIMEOUT_MS = 10_000;

/** `wallet-sync keys verify`: every stored key opened and compared. Exit status 1 where one is not as it should be, or where it was stopped. */
export async function runKeysVerify(options: KeysVerifyOptions): Promise<void> {
  const { user, json } = options;
  if (user !== undefined && !z.guid().safeParse(user).success) throw new AppError('usage', "must be a user's id, as auth.users has it", { where: '--user' });
  const environment = readEnvironment();
  pickSettings(environment, ['DATABASE_URL', 'WALLET_ENCRYPTION_KEY', 'WALLET_ENCRYPTION_KEY_NEXT', ...(options.chain ? [...CHAIN_SETTINGS, ...GATE_SETTINGS] : [])]);
  const vaultOf = await openUserVault(environment);
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  const progress = startProgress({ unit: 'rows' });
  try {
    const report = await withJournal(
      async (journal) => {
        await checkSchema(journal);
        const vault = await vaultOf(journal);
        return withChain(options.chain ? environment : null, journal, (chain) =>
          verifyKeys({ journal, vault }, { filter: user === undefined ? {} : { authId: user.toLowerCase() }, chain, by: operator(), signal: stop.signal, onProgress: progress.show }),
        );
      },
      { maxConnections: 2 },
    );
    progress.stop();
    if (user !== undefined && report.keys === 0 && report.isWhole && faultsOf(report) === 0) throw new AppError('data', 'no key is stored for this user', { where: '--user', mend: 'wallet-sync reconcile --user ID tells what he has' });
    print(json, toJson(report), toText(report));
    if (faultsOf(report) > 0 || !report.isWhole) process.exitCode = 1;
  } finally {
    progress.stop();
  }
}

async function withChain<T>(environment: Environment | null, journal: Journal, work: (chain: VerifyChain | null) => Promise<T>): Promise<T> {
  if (environment === null) return work(null);
  const settings = pickSettings(environment, [...CHAIN_SETTINGS, ...GATE_SETTINGS]);
  const { network, node, requireNetwork } = await openChain(settings, environment, { timeoutMs: CALL_TIMEOUT_MS, ...openSharedGate(settings, journal, CALL_TIMEOUT_MS) });
  try {
    await requireNetwork();
    return await work({ network, node, cadence: loadCadence(network), telemetry: createTelemetry() });
  } finally {
    node.close();
  }
}

const faultsOf = (report: KeysReport): number => Object.values(report.faults).reduce((sum, count) => sum + count, 0);

const toJson = (report: KeysReport): unknown => ({
  whole: report.isWhole,
  keys: report.keys,
  opened: report.sound,
  kept: report.kept,
  copies: report.copies,
  on_chain: report.onChain,
  faults: Object.fromEntries(KEY_FAULTS.map((kind) => [kind.replaceAll('-', '_'), report.faults[kind]])),
  listed: report.listed.map(({ accountId, authId, address, fault, reason, mend }) => ({ account: accountId, user: authId, address, fault: fault.replaceAll('-', '_'), reason, mend })),
});

const WORDS: Readonly<Record<KeyFaultKind, string>> = {
  'not-opening': 'do not open',
  'other-public-key': 'are of another public key',
  'copy-differs': 'have another copy in public.wallet',
  'not-on-chain': 'have no account on chain',
  'key-not-present': 'are not among their account\'s keys, or revoked',
  'not-compared': 'could not be compared with the chain',
};

function toText(report: KeysReport): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const faults = faultsOf(report);
  const lines = report.listed.map(lineOf);
  if (faults > report.listed.length) lines.push(`… and ${count(faults - report.listed.length)} more`);
  if (lines.length > 0) lines.push('');
  if (!report.isWhole) lines.push('Stopped before its end; so far:');
  lines.push(`${count(report.keys)} keys stored, ${count(report.sound)} opened and are their public keys'; ${count(report.copies)} copies in public.wallet compared.`);
  if (report.kept > 0) lines.push(`${count(report.kept)} more that adoptions have kept opened and are their public keys'.`);
  lines.push(report.onChain === null ? 'The chain was not asked.' : `${count(report.onChain)} are on their account on chain; those without an address were not asked about.`);
  for (const kind of KEY_FAULTS) if (report.faults[kind] > 0) lines.push(`${count(report.faults[kind])} ${WORDS[kind]}.`);
  if (report.keys > 0 && report.sound === 0) lines.push('No key opened: the master key is another one than the keys were encrypted with, or the database is.');
  if (report.isWhole && faults === 0) lines.push('All as it should be.');
  return lines.join('\n');
}

function lineOf({ accountId, authId, address, reason, mend }: FaultyKey): string {
  const names = [accountId === null ? 'no account' : `account ${accountId}`, ...(authId === null ? [] : [`user ${authId}`]), ...(address === null ? [] : [address])];
  return `${names.join('  ')}  ${reason}\n  mend: ${mend}`;
}
