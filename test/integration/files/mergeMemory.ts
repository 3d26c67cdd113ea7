import { compareFlowProduction, mergeFlowProduction } from '../../../src/files/flowProduction.js';
import { accountsUpTo, sourceOf } from '../../files/accounts.js';

/** A process that writes, compares and rewrites a file of so many accounts, and says how far its memory rose above what a small file took, in bytes: `mergeMemory.ts PATH COUNT`. */
const [path = '', count = '0'] = process.argv.slice(2);
const options = { onCorrupt: () => undefined, mayReplace: () => true };
const merge = (accounts: number) => mergeFlowProduction(path, sourceOf(accountsUpTo(accounts)), options);
await merge(1_000);
const base = process.memoryUsage.rss();
let peak = base;
setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10).unref();
await merge(Number(count));
await compareFlowProduction(path, sourceOf(accountsUpTo(Number(count))), options);
const last = await merge(Number(count) + 1);
process.stdout.write(JSON.stringify({ rise: peak - base, entries: last?.entries }));
