import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { writesKeyFiles } from '../../settings.js';
import { defineCheck, ok, warn } from '../check.js';

/** Users' keys in plain text: on mainnet somebody must know that they are there. */
export const keyFilesCheck = defineCheck({
  name: 'PKEY_FILES',
  settings: ['NETWORK', 'PKEY_FILES', 'CONFIG_EXPORT', 'ACCOUNTS_DIR'],
  async examine(_, settings) {
    const { NETWORK, ACCOUNTS_DIR, CONFIG_EXPORT } = settings;
    const pkeys = join(ACCOUNTS_DIR, 'pkeys');
    const isWritten = CONFIG_EXPORT && writesKeyFiles(settings);
    if (NETWORK !== 'mainnet') return ok(isWritten ? `users' keys are written to ${pkeys} unencrypted, as the Flow CLI needs them (${NETWORK})` : 'no key is written unencrypted');
    if (isWritten) return warn(`users' mainnet keys are written to ${pkeys} unencrypted: who reads that folder, or a backup of it, has their FLOW`, 'PKEY_FILES=off where the Flow CLI does not need them, and remove the files that are there');
    if (await hasKeyFiles(pkeys)) return warn(`no key is written unencrypted any more, but files of before are in ${pkeys}`, `remove them: the journal has every key (shred -u ${pkeys}/*.pkey)`);
    return ok('no key is written unencrypted');
  },
});

async function hasKeyFiles(folder: string): Promise<boolean> {
  const entries = await opendir(folder).catch(() => null);
  for await (const { name } of entries ?? []) if (name.endsWith('.pkey')) return true;
  return false;
}
