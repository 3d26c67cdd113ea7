import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RowsMessage } from './rowsWorker.js';
import type { RowsTask } from './userRows.js';

export interface Rows {
  /** Files for COPY; see userRows.ts. */
  readonly paths: readonly string[];
  /** Of each user by his number. */
  readonly addresses: BigUint64Array;
}

/**
 * Makes the rows of so many users with real keys, one worker thread a core: a key pair takes 34 µs and sealing it 70, so a million take
 * two minutes of one core. `onMade` hears how many there are.
 */
export async function makeRows(options: { users: number; folder: string; workers: number; onMade: (made: number) => void }): Promise<Rows> {
  const { users, folder, workers } = options;
  const addresses = new BigUint64Array(users);
  const made = new Array<number>(workers).fill(0);
  const tasks = Array.from({ length: workers }, (_, i): RowsTask => ({ from: Math.floor((users * i) / workers), to: Math.floor((users * (i + 1)) / workers), path: join(folder, `rows-${i}.tsv`) }));
  await Promise.all(
    tasks.map(async (task, i) => {
      const part = await runWorker(task, (count) => {
        made[i] = count;
        options.onMade(made.reduce((sum, each) => sum + each, 0));
      });
      addresses.set(part, task.from);
    }),
  );
  return { paths: tasks.map((task) => task.path), addresses };
}

function runWorker(task: RowsTask, onMade: (made: number) => void): Promise<BigUint64Array> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./rowsWorker.js', import.meta.url), { workerData: task });
    worker.on('message', (message: RowsMessage) => ('made' in message ? onMade(message.made) : resolve(message.addresses)));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a worker that makes rows ended (${code})`)));
  });
}
