import type { Check } from './check.js';
import { accessNodeCheck } from './checks/accessNode.js';
import { accountsFolderCheck } from './checks/accountsFolder.js';
import { balancesCheck } from './checks/balances.js';
import { clockCheck } from './checks/clock.js';
import { contractsCheck } from './checks/contracts.js';
import { controlCheck } from './checks/control.js';
import { databaseCheck } from './checks/database.js';
import { envFileCheck } from './checks/envFile.js';
import { exposureCheck } from './checks/exposure.js';
import { flowJsonCheck } from './checks/flowJson.js';
import { fundersCheck } from './checks/funders.js';
import { keyFilesCheck } from './checks/keyFiles.js';
import { listeningCheck } from './checks/listening.js';
import { publicationCheck } from './checks/publication.js';
import { realtimeCheck } from './checks/realtime.js';
import { rightsCheck } from './checks/rights.js';
import { schemaCheck } from './checks/schema.js';
import { serviceKeyCheck } from './checks/serviceKey.js';
import { settingsCheck } from './checks/settings.js';
import { slotsCheck } from './checks/slots.js';
import { storedKeysCheck } from './checks/storedKeys.js';
import { transportCheck } from './checks/transport.js';
import { triggersCheck } from './checks/triggers.js';
import { userCountsCheck } from './checks/userCounts.js';
import { walletTableCheck } from './checks/walletTable.js';

/** All checks, each after those it rests on: settings and files, the database, Supabase, the chain. */
export const CHECKS: readonly Check[] = [
  settingsCheck,
  envFileCheck,
  transportCheck,
  accountsFolderCheck,
  keyFilesCheck,
  databaseCheck,
  clockCheck,
  listeningCheck,
  rightsCheck,
  schemaCheck,
  triggersCheck,
  walletTableCheck,
  exposureCheck,
  publicationCheck,
  controlCheck,
  serviceKeyCheck,
  userCountsCheck,
  realtimeCheck,
  flowJsonCheck,
  accessNodeCheck,
  contractsCheck,
  fundersCheck,
  balancesCheck,
  slotsCheck,
  storedKeysCheck,
];
