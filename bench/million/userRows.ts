import { appendFileSync, closeSync, openSync } from 'node:fs';
import { createVault } from '../../src/secrets.js';
import { authIdOf, BENCH_MASTER_KEY, createKeySource } from './benchUser.js';

/** A file of rows: those of users `from` to `to` (exclusive), as COPY reads them. */
export interface RowsTask {
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

const CHUNK = 2_000;

/** Writes the file: number, auth id, address, public key, encrypted private key, separated by tabs. Gives the addresses in the order of the users. */
export function writeRows(task: RowsTask, onMade: (made: number) => void): BigUint64Array {
  const vault = createVault(BENCH_MASTER_KEY);
  const keyOf = createKeySource();
  const addresses = new BigUint64Array(task.to - task.from);
  const file = openSync(task.path, 'w', 0o644);
  try {
    let lines = '';
    for (let user = task.from; user < task.to; user++) {
      const key = keyOf(user);
      addresses[user - task.from] = BigInt(key.address);
      lines += `${user}\t${authIdOf(user)}\t${key.address}\t${key.publicKey}\t${vault.seal(key.privateKey, key.publicKey)}\n`;
      const made = user + 1 - task.from;
      if (made % CHUNK !== 0 && user + 1 < task.to) continue;
      appendFileSync(file, lines);
      lines = '';
      onMade(made);
    }
  } finally {
    closeSync(file);
  }
  return addresses;
}
