import { HOLD_MS, type Gate } from '../flow/limiter.js';
import type { Journal } from '../journal/pool.js';
import { createRatePlaces } from '../journal/ratePlaces.js';
import type { Settings } from '../settings.js';

/** The settings that say how fast, and whether all instances on the database share it. */
export const GATE_SETTINGS = ['RATE_LIMIT_SCOPE', 'SCRIPT_RPS', 'TRANSACTION_RPS', 'EVENT_RPS', 'READ_RPS'] as const;

/** What all instances on the database pass before each call, where RATE_LIMIT_SCOPE is shared; the schema must be there. */
export function openSharedGate(settings: Pick<Settings, (typeof GATE_SETTINGS)[number]>, journal: Journal, callTimeoutMs: number): { readonly gate?: Gate } {
  if (settings.RATE_LIMIT_SCOPE !== 'shared') return {};
  const rates = { script: settings.SCRIPT_RPS, transaction: settings.TRANSACTION_RPS, event: settings.EVENT_RPS, read: settings.READ_RPS };
  return { gate: createRatePlaces(journal, { rates, holdMs: HOLD_MS, callTimeoutMs }) };
}
