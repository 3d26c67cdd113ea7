import { AppError } from '../../src/errors.js';

/** The emulator's constant of the address code (flow-go, model/flow/address.go). */
const EMULATOR_WORD = 0x1cb159857af02018n;

/** Twelve independent words of the code: every sum (XOR) of them is one too, so they give 4,095 addresses. */
const WORDS = [0xf328dn, 0x16689an, 0x26112fn, 0x46084bn, 0x8433fdn, 0x1042aabn, 0x2041951n, 0x40233cen, 0x8022a81n, 0x10021948n, 0x2001ef60n, 0x4001decan];

/** The address of account number `n`, from 1 on, as the emulator could give it. Throws `internal` beyond 4,095. */
export function addressOf(n: number): string {
  if (n < 1 || n >= 2 ** WORDS.length) throw new AppError('internal', `the simulated chain has no account number ${n}`);
  const word = WORDS.reduce((sum, each, bit) => ((n >> bit) & 1 ? sum ^ each : sum), EMULATOR_WORD);
  return `0x${word.toString(16).padStart(16, '0')}`;
}
