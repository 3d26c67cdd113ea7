import { AppError } from '../errors.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const HALF_BYTES = 32;

/**
 * An ECDSA signature in DER (`SEQUENCE { r INTEGER, s INTEGER }`, RFC 3279, 2.2.3) as r and s, 64 bytes, hex. Read strictly: one length, no
 * byte too many, each number positive and in its shortest form. Throws `data` where it is anything else.
 */
export function signatureFromDer(der: Uint8Array): string {
  // Two numbers of at most 33 bytes fit a length of one byte.
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) throw notDer();
  const r = readInteger(der, 2);
  const s = readInteger(der, r.end);
  if (s.end !== der.length) throw notDer();
  return r.hex + s.hex;
}

function readInteger(der: Uint8Array, at: number): { hex: string; end: number } {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER || length === 0 || length > HALF_BYTES + 1 || end > der.length) throw notDer();
  const bytes = der.subarray(at + 2, end);
  const [first = 0, second = 0] = bytes;
  const isNegative = first >= 0x80;
  const isPadded = first === 0 && (length === 1 || second < 0x80);
  if (isNegative || isPadded) throw notDer();
  const digits = first === 0 ? bytes.subarray(1) : bytes;
  if (digits.length > HALF_BYTES) throw notDer();
  return { hex: Buffer.from(digits).toString('hex').padStart(2 * HALF_BYTES, '0'), end };
}

const notDer = (): AppError => new AppError('data', 'not a signature of ECDSA in DER');
