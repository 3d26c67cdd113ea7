import { defineCheck, fail, ok, warn } from '../check.js';

/** Blocks come every second; a public node that is so far behind serves no sign-up. */
const OLD_MS = 60_000;
const AHEAD_MS = 5_000;

/** The access node answers, is of the right chain, and has a fresh sealed block. */
export const accessNodeCheck = defineCheck({
  name: 'access node',
  needs: ['flow.json'],
  settings: ['NETWORK'],
  async examine({ chain, now }, { NETWORK }) {
    const { node, network, requireNetwork } = await chain();
    await requireNetwork();
    const block = await node.latestSealedBlock();
    const ageMs = now() - block.timestamp.getTime();
    if (ageMs < -AHEAD_MS) return warn(`its block ${block.height} is of ${seconds(-ageMs)} s from now`, "correct this machine's clock (timedatectl set-ntp true)");
    if (ageMs <= OLD_MS) return ok(`${network.chainId}, sealed block ${block.height}, ${seconds(Math.max(0, ageMs))} s old`);
    const found = `its newest sealed block, ${block.height}, is ${seconds(ageMs)} s old`;
    // An emulator makes no block where nothing happens, unless it is told to.
    if (NETWORK === 'emulator') return warn(found, 'nothing to do where it makes blocks on demand; else restart the emulator');
    return fail(found, "it lags, or the chain stands still (https://status.flow.com), or this machine's clock is wrong: set FLOW_ACCESS_NODE to another one");
  },
});

const seconds = (ms: number): string => (ms / 1_000).toFixed(ms < 10_000 ? 1 : 0);
