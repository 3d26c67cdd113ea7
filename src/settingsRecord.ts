import { createHash } from 'node:crypto';
import { formatAmount } from './flow/amount.js';
import type { Settings } from './settings.js';

/** Names of settings whose value is a secret. */
const SECRET = /(^|_)KEY($|_)|SECRET|TOKEN|PASSWORD/;

/**
 * The settings as they may be kept: a secret as its fingerprint, which tells whether it is still the same one; a URL without password,
 * query and fragment, and of the webhook's no path either, which may be a secret of its own; all else as it is. What is not set is left out.
 */
export function recordSettings(settings: Settings): Record<string, string | number | boolean | readonly string[]> {
  const recorded: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (name !== name.toUpperCase() || value === undefined) continue;
    if (value === null) recorded[name] = 'off';
    else if (SECRET.test(name) || Buffer.isBuffer(value)) recorded[name] = fingerprint(name, value as string | Buffer);
    else if (typeof value === 'bigint') recorded[name] = formatAmount(value);
    else if (typeof value === 'string') recorded[name] = name === 'WEBHOOK_URL' ? new URL(value).origin : withoutPassword(value);
    else recorded[name] = value as number | boolean | readonly string[];
  }
  return recorded;
}

/** The first 32 bits of the SHA-256 of the value and what it is for: enough to tell two apart, nothing to find it by. */
export function fingerprint(name: string, value: string | Buffer): string {
  return createHash('sha256').update(`wallet-sync fingerprint of ${name}\n`).update(value).digest('hex').slice(0, 8);
}

function withoutPassword(text: string): string {
  if (!/^[a-z]+:\/\//i.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
