import { fingerprint } from './fingerprint.js';
import { formatAmount } from './flow/amount.js';
import { describeMasterKeySource, isMasterKeySource } from './masterKey/source.js';
import type { Settings } from './settings.js';

/** Names of settings whose value is a secret. */
const SECRET = /(^|_)KEY($|_)|SECRET|TOKEN|PASSWORD/;

/** A passphrase that a person chose can be guessed, and a fingerprint would tell who guesses right. */
const NEVER = 'ADOPT_ENCRYPTION_KEY';

/**
 * The settings as they may be kept: a secret as its fingerprint, which tells whether it is still the same one; a URL without password,
 * query and fragment, and of the webhook's no path either, which may be a secret of its own; all else as it is. What is not set is left out.
 */
export function recordSettings(settings: Settings): Record<string, string | number | boolean | readonly string[]> {
  const recorded: Record<string, string | number | boolean | readonly string[]> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (name !== name.toUpperCase() || value === undefined || name === NEVER) continue;
    if (value === null) recorded[name] = 'off';
    else if (isMasterKeySource(value)) recorded[name] = describeMasterKeySource(value, name);
    else if (SECRET.test(name)) recorded[name] = fingerprint(name, value as string);
    else if (typeof value === 'bigint') recorded[name] = formatAmount(value);
    else if (typeof value === 'string') recorded[name] = name === 'WEBHOOK_URL' ? new URL(value).origin : withoutPassword(value);
    else recorded[name] = value as number | boolean | readonly string[];
  }
  return recorded;
}

function withoutPassword(text: string): string {
  if (!/^[a-z]+:\/\//i.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
