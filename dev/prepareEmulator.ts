import { toAppError } from '../src/errors.js';
import { prepareChain } from './chain.js';

/** `prepareEmulator.js REST_URL FOLDER`: prepares an emulator that runs elsewhere, once, and writes flow.json with the funders' keys. Its service key is the emulator's own variable. */
const [restUrl = '', folder = ''] = process.argv.slice(2);
try {
  const { flowJson } = await prepareChain({ restUrl, servicePrivateKey: process.env['FLOW_SERVICEPRIVATEKEY'] ?? '', folder });
  process.stdout.write(`${flowJson}\n`);
} catch (thrown) {
  process.stderr.write(`${toAppError(thrown).explain()}\n`);
  process.exitCode = 1;
}
