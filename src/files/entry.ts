/** One user's entry for the Flow CLI. */
export function toEntry(authId: string, address: string): Record<string, unknown> {
  return { address, key: { type: 'file', location: `accounts/pkeys/${authId}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } };
}

/** An entry as one line of the file, without the comma that follows it. Line breaks inside JSON texts are escaped, so it is one line. */
export function entryLine(name: string, entry: unknown): string {
  return `    ${JSON.stringify(name)}: ${JSON.stringify(entry)}`;
}

/** Whether an entry was made by this program for that user, as far as it shows: its key is the file of that name. */
export function isOurs(name: string, entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null || !('key' in entry)) return false;
  const { key } = entry;
  return typeof key === 'object' && key !== null && 'location' in key && key.location === `accounts/pkeys/${name}.pkey`;
}
