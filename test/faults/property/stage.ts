import { parseAmount } from '../../../src/flow/amount.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import type { Network } from '../../../src/flow/network.js';
import { createSigner } from '../../../src/flow/sign.js';
import type { Journal } from '../../../src/journal/pool.js';
import { createVault } from '../../../src/secrets.js';
import { readSettings, type Settings } from '../../../src/settings.js';
import type { Database } from '../../support/database.js';
import type { Shape } from './commands.js';
import type { VirtualClock } from './virtualClock.js';

/** What every run starts from: settings, contracts, one funder's key, an empty database. */

/** With two blocks a second, what never seals is given up after 45 s. */
export const EXPIRY_BLOCKS = 30;
/** In FLOW. */
const THRESHOLD = '0.075';
/** In 10^-8 FLOW. */
export const FUNDING_THRESHOLD = parseAmount(THRESHOLD);
export const masterKey = Buffer.alloc(32, 0x5a);
export const vault = createVault(masterKey);

export const CONTRACTS = { FlowToken: '0x0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6', BaitCoin: '0xf8d6e0586b0a20c7' };
export const cadence = loadCadence({ name: 'emulator', contracts: CONTRACTS });

const key = generateKeyPair();
/** One key pair stands on the funder's account several times. */
export const funderPublicKeys = (count: number): string[] => Array.from({ length: count }, () => key.publicKey);

/** The network with one funder, whose account on the simulated chain is `address`. */
export function networkOf(address: string, keys: number): Network {
  const signer = createSigner({ privateKey: key.privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
  const funder = { name: 'funder-1', address, keyIndexes: Array.from({ length: keys }, (_, i) => i), signer };
  return { name: 'emulator', chainId: 'flow-emulator', accessNode: '', contracts: CONTRACTS, funders: [funder] };
}

/** The daemon's settings, as a run's shape has them. */
export function settingsOf(shape: Shape, databaseUrl: string): Settings {
  return readSettings({
    DATABASE_URL: databaseUrl,
    SUPABASE_URL: 'http://127.0.0.1:1',
    SUPABASE_SERVICE_ROLE_KEY: 'not used in this test',
    NETWORK: 'emulator',
    WALLET_ENCRYPTION_KEY: masterKey.toString('hex'),
    POOL_SIZE: `${shape.poolSize}`,
    PROVISION: shape.provision,
    ASSIGN: shape.assign,
    TRANSACTION_EXPIRY: `${EXPIRY_BLOCKS}`,
    FLOW_FUNDING_THRESHOLD: THRESHOLD,
  });
}

/** The daemon's statements, reading the test's clock. */
export function onClock(journal: Journal, clock: VirtualClock): Journal {
  return {
    query: (text, values) => journal.query(clock.rewrite(text), values),
    transaction: (work) => journal.transaction((db) => work({ query: (text, values) => db.query(clock.rewrite(text), values) })),
    load: () => journal.load(),
    close: () => journal.close(),
  };
}

/** As if nothing had ever happened. */
export async function clear(database: Database): Promise<void> {
  await database.clear();
  await database.postgres.query('supabase_admin', 'delete from simulated.stale_write; update wallet_sync.sweeper set leased_by = null, lease_until = null, epoch = 0');
}
