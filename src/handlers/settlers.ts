import type { BatchSize } from './batchSize.js';
import type { Instance } from './instance.js';
import type { Pace } from './pace.js';
import { createAddKeysSettler } from './settleAddKeys.js';
import { createCreationSettler } from './settleCreation.js';
import { createFundingSettler } from './settleFunding.js';
import { createRepairSettler } from './settleRepair.js';
import type { Settlers } from './settler.js';

/** Who records the end of a transaction, by its kind. */
export function createSettlers(instance: Instance, batchSize: BatchSize, pace: Pace): Settlers {
  return { create: createCreationSettler(instance, batchSize, pace), fund: createFundingSettler(instance), repair: createRepairSettler(instance), 'add-keys': createAddKeysSettler(instance) };
}
