import { readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import { replaceFile } from './replaceFile.js';

/** Loose on purpose: entries and keys made by hand survive. */
const fileSchema = z.looseObject({ accounts: z.record(z.string(), z.unknown()) });

export type FlowProduction = z.output<typeof fileSchema>;

/** One user's entry for the Flow CLI. */
export function toEntry(authId: string, address: string): Record<string, unknown> {
  return { address, key: { type: 'file', location: `accounts/pkeys/${authId}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' } };
}

/**
 * Reads the file. `fresh`: there was none, or it was corrupt and has been set aside as `<path>.corrupt`
 * (`corrupt` then says why): it must be filled from the journal's first assignment on.
 */
export async function readFlowProduction(path: string): Promise<{ content: FlowProduction; fresh: boolean; corrupt: string | null }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { content: { accounts: {} }, fresh: true, corrupt: null };
  }
  try {
    return { content: fileSchema.parse(JSON.parse(text)), fresh: false, corrupt: null };
  } catch (error) {
    await rename(path, `${path}.corrupt`);
    return { content: { accounts: {} }, fresh: true, corrupt: error instanceof SyntaxError ? `it is not JSON${positionIn(error)}` : 'it is not {"accounts": {…}}' };
  }
}

/** Where JSON.parse stopped. The rest of its message can quote the file, and an entry made by hand can hold a key. */
function positionIn(error: SyntaxError): string {
  const position = /\bat position (\d+)/.exec(error.message)?.[1];
  return position === undefined ? '' : ` (at character ${position})`;
}

/** Writes the file whole, readable by its owner alone. */
export async function writeFlowProduction(path: string, content: FlowProduction): Promise<void> {
  await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`, 0o600);
}
