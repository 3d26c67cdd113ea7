import { AppError } from '../errors.js';

/** An address as it is stored and compared: 0x and 16 lower-case hex digits. Throws `data` for anything else. */
export function normalizeAddress(text: string): string {
  const match = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text);
  if (match?.[1] === undefined) throw new AppError('data', `not a Flow address: ${JSON.stringify(text.slice(0, 40))}`);
  return `0x${match[1].toLowerCase().padStart(16, '0')}`;
}

/** The same without 0x, as REST bodies and the transaction encoding want it. */
export function bareAddress(text: string): string {
  return normalizeAddress(text).slice(2);
}
