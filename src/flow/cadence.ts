import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import { packagePath } from '../packagePath.js';
import { normalizeAddress } from './address.js';

/** The .cdc files of this package for one network, ready to be sent. */
export interface Cadence {
  /** The code of a script by its file name without .cdc. Throws `internal` for a name there is no file of. */
  script(name: string): string;
  transaction(name: string): string;
  contract(name: string): string;
}

/** Matches `import "Name"` at the start of a line; Flow's tools resolve it in the same way. */
const STRING_IMPORT = /^([ \t]*)import[ \t]+"(\w+)"/gm;

/** Replaces `import "Name"` by `import Name from 0x…`. Throws `usage` naming every contract that has no address on the network. */
export function resolveImports(code: string, contracts: Readonly<Record<string, string>>, network: string): string {
  const missing = [...code.matchAll(STRING_IMPORT)].map((match) => match[2] ?? '').filter((name) => !Object.hasOwn(contracts, name));
  if (missing.length > 0) {
    throw new AppError('usage', `no address on ${network} for ${[...new Set(missing)].join(', ')}`, {
      where: 'flow.json',
      mend: `add "${network}" to contracts.${missing[0] ?? ''}.aliases`,
    });
  }
  return code.replace(STRING_IMPORT, (_, indent: string, name: string) => `${indent}import ${name} from ${normalizeAddress(contracts[name] ?? '')}`);
}

/** Reads cadence/ once. Imports are resolved when a file is asked for: a network may lack a contract that nothing in use needs. */
export function loadCadence(network: { readonly name: string; readonly contracts: Readonly<Record<string, string>> }): Cadence {
  const kinds = { scripts: readFolder('scripts'), transactions: readFolder('transactions'), contracts: readFolder('contracts') };
  const resolved = new Map<string, string>();

  function take(kind: keyof typeof kinds, name: string): string {
    const key = `${kind}/${name}`;
    const known = resolved.get(key);
    if (known !== undefined) return known;
    const code = kinds[kind].get(name);
    if (code === undefined) throw new AppError('internal', `there is no cadence/${key}.cdc`);
    const ready = resolveImports(code, network.contracts, network.name);
    resolved.set(key, ready);
    return ready;
  }

  return {
    script: (name) => take('scripts', name),
    transaction: (name) => take('transactions', name),
    contract: (name) => take('contracts', name),
  };
}

function readFolder(kind: string): Map<string, string> {
  const folder = packagePath('cadence', kind);
  const files = readdirSync(folder).filter((file) => file.endsWith('.cdc'));
  return new Map(files.map((file) => [file.slice(0, -'.cdc'.length), readFileSync(join(folder, file), 'utf8')]));
}
