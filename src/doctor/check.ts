import type { AppError } from '../errors.js';
import type { Network } from '../flow/network.js';
import type { AccessNode } from '../flow/accessNode.js';
import type { Journal } from '../journal/pool.js';
import { pickSettings, type Environment, type Settings } from '../settings.js';

/** `warn`: the daemon runs, and somebody should know. `fail`: it does not do what it should. */
export type Outcome = { readonly state: 'ok'; readonly found: string } | { readonly state: 'warn' | 'fail'; readonly found: string; readonly mend: string };

/** What a check says, under its name. `skipped`: what it rests on has failed. */
export interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail' | 'skipped';
  readonly found: string;
  /** What puts it right; null where nothing has to be. */
  readonly mend: string | null;
}

/** What the checks look at. Nothing is opened before a check asks for it. */
export interface Surroundings {
  readonly environment: Environment;
  /** The folder that .env is read from. */
  readonly folder: string;
  /** Throws what is wrong with DATABASE_URL. */
  journal(): Journal;
  /** flow.json's network and its access node. Throws what is wrong with either, and with the funders' keys. */
  chain(): Promise<Chain>;
  /** Milliseconds since 1970, of this machine. */
  now(): number;
}

export interface Chain {
  readonly network: Network;
  readonly node: AccessNode;
  /** Throws `usage` where the access node serves another chain. */
  requireNetwork(): Promise<void>;
}

export type SettingName = Exclude<keyof Settings, 'pkeyFiles'>;

/** One precondition of the daemon. It looks, and changes nothing. What it throws is a fault found. */
export interface Check {
  readonly name: string;
  /** Names of the checks that it rests on. */
  readonly needs: readonly string[];
  readonly settings: readonly SettingName[];
  examine(surroundings: Surroundings): Promise<Outcome>;
}

export interface CheckDefinition<Name extends SettingName> {
  readonly name: string;
  readonly needs?: readonly string[];
  /** The settings that it reads: where one is wrong, it is skipped. */
  readonly settings?: readonly Name[];
  examine(surroundings: Surroundings, settings: Pick<Settings, Name>): Outcome | Promise<Outcome>;
}

/** A check that is handed the settings it names. */
export function defineCheck<Name extends SettingName = never>(definition: CheckDefinition<Name>): Check {
  const { name, needs = [], settings = [] } = definition;
  return { name, needs, settings, examine: async (surroundings) => definition.examine(surroundings, pickSettings(surroundings.environment, settings)) };
}

export const ok = (found: string): Outcome => ({ state: 'ok', found });
export const warn = (found: string, mend: string): Outcome => ({ state: 'warn', found, mend });
export const fail = (found: string, mend: string): Outcome => ({ state: 'fail', found, mend });

/** An error as a fault found. `mend`: where the error names none. */
export const failOf = (error: AppError, mend: string): Outcome => fail(error.where === undefined ? error.message : `${error.where}: ${error.message}`, error.mend || mend);

/** The worst of several outcomes of one check, with all that is wrong; where nothing is, `found`. */
export function worstOf(outcomes: readonly Outcome[], found: string): Outcome {
  const wrong = outcomes.filter((outcome) => outcome.state !== 'ok');
  if (wrong.length === 0) return ok(found);
  const mends = [...new Set(wrong.map((outcome) => outcome.mend))];
  return { state: wrong.some((outcome) => outcome.state === 'fail') ? 'fail' : 'warn', found: wrong.map((outcome) => outcome.found).join('; '), mend: mends.join('; ') };
}
