import { AppError } from '../errors.js';
import type { Instance } from './instance.js';
import type { Settler } from './settler.js';

/** To be filled: see the type. */
export function createAddKeysSettler(_instance: Instance): Settler {
  const fail = (): Promise<boolean> => Promise.reject(new AppError('internal', 'adding keys is not settled yet'));
  return { sealed: fail, failed: fail, giveUp: fail };
}
