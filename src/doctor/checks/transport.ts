import { readMigrationUrl } from '../../settings.js';
import { insecureConnections, unusedAllowances } from '../../transport.js';
import { defineCheck, warn, worstOf } from '../check.js';

/** Nobody between here and a peer can read or change what is said, but where INSECURE_TRANSPORT lets them. */
export const transportCheck = defineCheck({
  name: 'transport',
  settings: ['INSECURE_TRANSPORT', 'DATABASE_URL', 'SUPABASE_URL', 'FLOW_ACCESS_NODE'],
  examine({ environment }) {
    // Another command's, whose faults nobody has seen yet. Throws them.
    if ((environment['MIGRATE_DATABASE_URL'] ?? '').trim() !== '') readMigrationUrl(environment);
    const insecure = insecureConnections(environment).map(({ setting, host, what }) => warn(`${setting}: ${host} is ${what}`, 'give it TLS with a certificate that is checked, and take its host out of INSECURE_TRANSPORT'));
    const unused = unusedAllowances(environment).map((host) => warn(`INSECURE_TRANSPORT names ${host}, which no insecure URL does`, 'take it out: it would allow what nobody asked for'));
    return worstOf([...insecure, ...unused], 'TLS with a checked certificate to every host but this machine itself');
  },
});
