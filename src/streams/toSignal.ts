import { z } from 'zod';
import type { ControlCommand, Signal } from './signal.js';

/** Postgres's text form of a uuid, in either case; the version digit is not ours to judge. Handed on in lower case. */
const authIdShape = z.guid().toLowerCase();

/** The commands that an operator can give, as a person would type them. For the log line about one that is not among them. */
export const KNOWN_COMMANDS = ['resync', 'resync:<auth_id>', 'pause', 'resume'] as const;

const commandShape = z.union([
  z.literal('resync').transform((): ControlCommand => ({ name: 'resync' })),
  z.literal('pause').transform((): ControlCommand => ({ name: 'pause' })),
  z.literal('resume').transform((): ControlCommand => ({ name: 'resume' })),
  z
    .string()
    .startsWith('resync:')
    .transform((text) => text.slice('resync:'.length).trim())
    .pipe(authIdShape)
    .transform((authId): ControlCommand => ({ name: 'resync', authId })),
]);

/** Realtime sends every column that the role may read; only the user's id matters, the row itself is read from Postgres. */
const walletRecordShape = z.object({ auth_id: authIdShape });

const canaryRecordShape = z.object({ nonce: z.string().min(1).max(200) });

/** A payload of channel `wallet_sync` (an auth_id) as a signal; null when it is anything else. */
export function toUserSignal(payload: unknown): Signal | null {
  const parsed = authIdShape.safeParse(payload);
  return parsed.success ? { kind: 'user', authId: parsed.data, source: 'notify' } : null;
}

/**
 * A payload of channel `wallet_sync_control` as a signal; null when it is none of KNOWN_COMMANDS.
 * White space around it is forgiven, since people type it; case is not, as in the rest of the program.
 */
export function toControlSignal(payload: unknown, senderPid: number | null): Signal | null {
  const parsed = commandShape.safeParse(typeof payload === 'string' ? payload.trim() : payload);
  return parsed.success ? { kind: 'control', command: parsed.data, senderPid, source: 'control' } : null;
}

/** An inserted row of public.wallet, as Realtime tells it, as a signal; null without a usable auth_id. */
export function toRealtimeSignal(record: unknown): Signal | null {
  const parsed = walletRecordShape.safeParse(record);
  return parsed.success ? { kind: 'user', authId: parsed.data.auth_id, source: 'realtime' } : null;
}

/** The nonce of an inserted row of wallet_sync.canary; null when the record has none. */
export function toCanaryNonce(record: unknown): string | null {
  const parsed = canaryRecordShape.safeParse(record);
  return parsed.success ? parsed.data.nonce : null;
}

/** What of a malformed payload may stand in a log line: a NOTIFY payload can have 8,000 bytes and anyone's text in it. */
export function clipForLog(payload: unknown): { readonly head: string; readonly length: number } {
  const text = typeof payload === 'string' ? payload : describeShape(payload);
  return { head: text.slice(0, 64), length: text.length };
}

/** Names a record's keys and none of its values: a wallet's row holds a private key. */
function describeShape(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null) return String(payload);
  return `{${Object.keys(payload).slice(0, 20).join(',')}}`;
}
