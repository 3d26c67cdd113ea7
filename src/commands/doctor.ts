import { readEnvironment } from '../environment.js';
import { toAppError } from '../errors.js';
import { CHECKS } from '../doctor/checks.js';
import { examine } from '../doctor/examine.js';
import type { Chain, Finding, Surroundings } from '../doctor/check.js';
import { findingsToText, tallyOf } from '../doctor/report.js';
import { openJournal, type Journal } from '../journal/pool.js';
import { createLog } from '../log.js';
import { pickSettings, readDatabaseUrl, type Environment } from '../settings.js';
import { within } from '../waiting.js';
import { CHAIN_SETTINGS, openChain } from './connectChain.js';
import { print } from './output.js';

/** Checks run beside each other: so many ask the database at once. */
const CONNECTIONS = 4;
/** Below the 5 s of a check, so that its own words are heard. */
const CALL_TIMEOUT_MS = 4_000;
const CLOSE_MS = 500;

/** `wallet-sync doctor`: every precondition, what was found, and what mends it. Exit status 1 where one fails. */
export async function runDoctor(options: { json: boolean }): Promise<void> {
  const findings = await diagnose(readEnvironment());
  const tally = tallyOf(findings);
  const isWell = tally.fail === 0;
  print(options.json, { well: isWell, tally, checks: findings }, findingsToText(findings, { colour: process.stdout.isTTY }));
  if (!isWell) process.exitCode = 1;
}

/** Runs all checks on what the environment names, and closes what they have opened. */
export async function diagnose(environment: Environment, options: { folder?: string; now?: () => number } = {}): Promise<Finding[]> {
  let journal: Journal | null = null;
  let chain: Promise<Chain> | null = null;
  const surroundings: Surroundings = {
    environment,
    folder: options.folder ?? process.cwd(),
    now: options.now ?? Date.now,
    journal: () => (journal ??= openJournal({ connectionString: readDatabaseUrl(environment), log: createLog({ level: 'silent' }), maxConnections: CONNECTIONS })),
    chain: () => (chain ??= open(environment)),
  };
  try {
    return await examine(CHECKS, surroundings);
  } finally {
    // Assigned in closures, which the compiler does not follow.
    await (chain as Promise<Chain> | null)?.then(({ node }) => node.close(), toAppError);
    await within(CLOSE_MS, (journal as Journal | null)?.close().catch(toAppError));
  }
}

async function open(environment: Environment): Promise<Chain> {
  const settings = pickSettings(environment, CHAIN_SETTINGS);
  return openChain(settings, environment, { timeoutMs: CALL_TIMEOUT_MS });
}
