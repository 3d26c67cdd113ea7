import { readFile } from 'node:fs/promises';
import { migrationFiles } from '../journal/migrate.js';
import { packagePath } from '../packagePath.js';

/** One right that sql/ gives to the daemon's role. */
export interface Grant {
  readonly on: 'schema' | 'table' | 'sequence' | 'function';
  readonly object: string;
  readonly privilege: string;
  /** Only on this column. */
  readonly column: string | null;
}

const SERVICE_ROLE = 'wallet_sync_service';

/** Every right that the files of sql/ give to the daemon's role: what it needs is written there and nowhere else. */
export async function readGrants(): Promise<Grant[]> {
  const texts = await Promise.all((await migrationFiles()).map((name) => readFile(packagePath('sql', name), 'utf8')));
  return texts.flatMap(grantsIn);
}

/** The rights in one SQL file. */
export function grantsIn(sql: string): Grant[] {
  const text = sql.replace(/--.*$/gm, '');
  return [...text.matchAll(/\bgrant\s+([^;]+?)\s+on\s+(?:(schema|table|sequence|function)\s+)?([^;]+?)\s+to\s+([^;]+);/g)]
    .filter((match) => splitList(match[4] ?? '').includes(SERVICE_ROLE))
    .flatMap(([, privileges = '', on = 'table', objects = '']) =>
      splitList(privileges).flatMap((each) => {
        const [, privilege = '', columns] = /^(\w+)\s*(?:\(([^)]*)\))?$/.exec(each) ?? [];
        const named = columns === undefined ? [null] : splitList(columns);
        return splitList(objects).flatMap((object) => named.map((column) => ({ on: on as Grant['on'], object, privilege, column })));
      }),
    );
}

/** Splits at the commas outside parentheses. */
function splitList(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .filter((part) => part !== '');
}
