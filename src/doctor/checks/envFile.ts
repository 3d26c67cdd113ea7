import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defineCheck, ok, warn } from '../check.js';

/** .env holds the master key and the service role key: nobody else may read it. */
export const envFileCheck = defineCheck({
  name: '.env file',
  async examine({ folder }) {
    const path = join(folder, '.env');
    const found = await stat(path).catch(() => null);
    if (found === null) return ok('there is none; settings come from the environment');
    if ((found.mode & 0o077) !== 0) return warn(`${path} can be read by others (mode ${(found.mode & 0o777).toString(8).padStart(4, '0')}), and holds secrets`, `chmod 600 ${path}`);
    return ok('only its owner can read it');
  },
});
