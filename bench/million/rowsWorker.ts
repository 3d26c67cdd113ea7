import { parentPort, workerData } from 'node:worker_threads';
import { writeRows, type RowsTask } from './userRows.js';

/** What a worker thread tells while it writes its file, and at its end. */
export type RowsMessage = { readonly made: number } | { readonly addresses: BigUint64Array };

const tell = (message: RowsMessage): void => parentPort?.postMessage(message);
const addresses = writeRows(workerData as RowsTask, (made) => tell({ made }));
tell({ addresses });
