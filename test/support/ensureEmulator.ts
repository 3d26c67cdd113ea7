import { findEmulator } from '../../dev/emulatorBinary.js';

/** Finds or builds the emulator once, before any test's own time runs: the first build takes minutes. */
export default async function ensureEmulator(): Promise<void> {
  await findEmulator((text) => process.stderr.write(`${text}\n`));
}
