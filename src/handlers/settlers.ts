import type { BatchSize } from './batchSize.js';
import type { Instance } from './instance.js';
import { createAddKeysSettler } from './settleAddKeys.js';
import { createCreationSettler } from './settleCreation.js';
import { createFundingSettler } from './settleFunding.js';
import type { Settlers } from './settler.js';

/** Who records the end of a transaction, by its kind. */
export function createSettlers(instance: Instance, batchSize: BatchSize): Settlers {
  return { create: createCreationSettler(instance, batchSize), fund: createFundingSettler(instance), 'add-keys': createAddKeysSettler(instance) };
}
