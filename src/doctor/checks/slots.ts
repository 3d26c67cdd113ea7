import { readSlots } from '../../journal/funders.js';
import { defineCheck, fail, ok, warn } from '../check.js';

/** The keys that propose: which of them are out of rotation, and why. */
export const slotsCheck = defineCheck({
  name: 'slots',
  needs: ['migrations'],
  settings: ['DATABASE_URL'],
  async examine({ journal }) {
    const slots = await readSlots(journal());
    if (slots.length === 0) return ok('none yet: `wallet-sync run` makes them at its start');
    const out = slots.filter((slot) => slot.outOfRotation !== null);
    if (out.length === 0) return ok(`${slots.length}, all in rotation`);
    const reasons = [...new Set(out.map((slot) => slot.outOfRotation ?? ''))].map((reason) => `${out.filter((slot) => slot.outOfRotation === reason).map((slot) => `${slot.address}/${slot.keyIndex}`).join(', ')}: ${reason}`);
    const found = `${out.length} of ${slots.length} out of rotation: ${reasons.join('; ')}`;
    const mend = 'send FLOW to what is low, and correct flow.json where a key is wrong; it comes back by itself within 10 s of a running daemon';
    return out.length === slots.length ? fail(found, mend) : warn(found, mend);
  },
});
