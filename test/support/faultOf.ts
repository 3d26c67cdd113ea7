import { AppError } from '../../src/errors.js';

/** The AppError that `act` throws; anything else it throws goes on, and throwing nothing is an error. */
export function faultOf(act: () => unknown): AppError {
  try {
    act();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
