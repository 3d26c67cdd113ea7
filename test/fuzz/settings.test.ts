import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../src/errors.js';
import { SETTING_NAMES, readSettings } from '../../src/settings.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { hostileText } from '../support/hostile.js';

const VALID: Record<string, string> = {
  DATABASE_URL: 'postgresql://u:pw@h:5432/d', SUPABASE_URL: 'https://p.supabase.co', SUPABASE_SERVICE_ROLE_KEY: 'k'.repeat(40), NETWORK: 'testnet', WALLET_ENCRYPTION_KEY: '11'.repeat(32),
};
/** A value that must not be repeated, whatever is wrong with it. */
const MARK = 'secret-value-0815';

test('10,000 environments: read, or refused with all faults and no value', () =>
  fuzz(fc.array(fc.tuple(fc.constantFrom(...SETTING_NAMES), hostileText, fc.boolean()), { maxLength: 4 }), (changes) => {
    const environment = { ...VALID, ...Object.fromEntries(changes.map(([name, value, marks]) => [name, marks ? `${value}${MARK}` : value])) };
    try {
      expect(Object.isFrozen(readSettings(environment))).toBe(true);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(AppError);
      expect((thrown as AppError).explain()).not.toContain(MARK);
      throw thrown;
    }
  }), FUZZ_TIMEOUT_MS);
