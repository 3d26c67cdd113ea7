import { readSettings, SETTING_NAMES } from '../../settings.js';
import { defineCheck, ok } from '../check.js';

/** All settings, all their faults at once. */
export const settingsCheck = defineCheck({
  name: 'settings',
  examine({ environment }) {
    const { NETWORK } = readSettings(environment);
    const set = SETTING_NAMES.filter((name) => (environment[name] ?? '').trim() !== '').length;
    return ok(`all valid; ${set} of ${SETTING_NAMES.length} set, NETWORK is ${NETWORK}`);
  },
});
