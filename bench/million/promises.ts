import type { DatabaseTime } from './databaseTime.js';
import type { ReconcileEnd } from '../reconcile.js';
import type { SimulatedNodeStats } from './simulatedNode.js';

/** What a run has measured. */
export interface Measured {
  readonly users: number;
  /** Users who were to come and to go. */
  readonly planned: number;
  readonly signedUp: number;
  readonly deleted: number;
  /** Users who were there throughout and whom no script looked at. */
  readonly skipped: number;
  /** Users who were there throughout and whose entry in flow-production.json is missing or wrong. NaN: the file cannot be read. */
  readonly badEntries: number;
  readonly node: SimulatedNodeStats;
  /** Of the process, in bytes. */
  readonly peakMemory: number;
  readonly memorySamples: number;
  readonly end: ReconcileEnd;
  /** From the start of the process to its end, in milliseconds. */
  readonly wallMs: number;
  /** Processor time of the process, in milliseconds. */
  readonly cpuMs: number;
  readonly seedMs: number;
  readonly database: DatabaseTime;
}

export interface Promised {
  readonly name: string;
  readonly limit: string;
  readonly measured: string;
  readonly kept: boolean;
}

export const MEBIBYTE = 1_048_576;
const MAX_MEMORY = 256 * MEBIBYTE;
/** A script checks 1,000 users; 50 calls more are for what fails and for finding the new limit. */
export const USERS_PER_CALL = 1_000;
const SPARE_CALLS = 50;

/** Each promise of the sweep with what was measured. */
export function judge(measured: Measured): Promised[] {
  const { node, end } = measured;
  const maxCalls = Math.ceil(measured.users / USERS_PER_CALL) + SPARE_CALLS;
  const promise = (name: string, limit: string, value: string, kept: boolean): Promised => ({ name, limit, measured: value, kept });
  return [
    promise('the sweep ends well', 'exit status 0 and an answer', `exit status ${String(end.code)}, ${end.answer === null ? 'no answer' : 'an answer'}`, end.code === 0 && end.answer !== null),
    promise('script calls', `at most ${grouped(maxCalls)}`, grouped(node.scriptCalls), node.scriptCalls <= maxCalls),
    promise('resident memory of the process', `under ${MAX_MEMORY / MEBIBYTE} MiB`, `${(measured.peakMemory / MEBIBYTE).toFixed(1)} MiB at most`, measured.peakMemory < MAX_MEMORY),
    promise('no user skipped', '0 of those there throughout', grouped(measured.skipped), measured.skipped === 0),
    promise('users come and go meanwhile', `${grouped(measured.planned)} each`, `${grouped(measured.signedUp)} came, ${grouped(measured.deleted)} went`, measured.signedUp >= measured.planned && measured.deleted >= measured.planned),
    promise('flow-production.json has them all', '0 missing or wrong', Number.isNaN(measured.badEntries) ? 'no such file, or no JSON' : grouped(measured.badEntries), measured.badEntries === 0),
    // Else the simulation, not the sweep, has decided what came out.
    promise('each was asked about under his own key', '0 strange keys', grouped(node.strangeKeys), node.strangeKeys === 0),
    promise('the node knew every call', '0 unknown', node.unknown.length === 0 ? '0' : node.unknown.join('; '), node.unknown.length === 0),
  ];
}

export const grouped = (count: number): string => count.toLocaleString('en-US');
