import { writeSync } from 'node:fs';
import { mergeFlowProduction } from '../../../src/files/flowProduction.js';
import { accountsUpTo, sourceOf } from '../../files/accounts.js';

/** A process that adds one account after the other to a file, until it is killed: `endlessWriter.ts PATH FIRST`. Shows a dot for each 500 accounts that it has handed on. */
const [path = '', first = '0'] = process.argv.slice(2);
function* shown(count: number): Generator<ReturnType<typeof accountsUpTo> extends Generator<infer Account> ? Account : never> {
  let place = 0;
  for (const each of accountsUpTo(count)) {
    place += 1;
    if (place % 500 === 0) writeSync(1, '.');
    yield each;
  }
}
for (let count = Number(first); ; count += 1) {
  const merged = await mergeFlowProduction(path, sourceOf(shown(count), 250), { onCorrupt: ({ reason }) => writeSync(2, reason), mayReplace: () => true });
  if (merged?.entries !== count) writeSync(2, `${merged?.entries} of ${count}`);
}
