const BYTES = 32;

/** The 32 bytes that a text holds in hex (64 digits) or base64 (with or without padding); null where it holds none. */
export function keyFromText(text: string): Buffer | null {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === BYTES ? bytes : null;
}
