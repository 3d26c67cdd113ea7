import { expect, it } from 'vitest';
import { createSimulatedChain } from '../../../dev/simulatedChain.js';
import { addressOf } from '../../../dev/simulatedChain/addresses.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { doubtsOfMissing } from '../../../src/handlers/adopt/confirmMissing.js';

const CONTRACTS = { FlowToken: '0x0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6', BaitCoin: '0xf8d6e0586b0a20c7' };
const NOW = Date.parse('2026-01-01T00:10:00Z');
const STEP_MS = 500;

/** A chain with a block each half second; one account was made with the last of them. */
function standing() {
  let time = NOW - 600 * STEP_MS;
  const chain = createSimulatedChain({ network: { contracts: CONTRACTS }, cadence: loadCadence({ name: 'emulator', contracts: CONTRACTS }), expiryBlocks: 600, sealBlocks: 2, now: () => time });
  for (let i = 0; i < 600; i += 1) {
    time += STEP_MS;
    chain.advance(1);
  }
  const node = chain.connect('node');
  const ask = (name: 'mainnet' | 'emulator', addresses: readonly string[]) =>
    doubtsOfMissing({ instance: { node, network: { name } as never, now: () => NOW }, call: (work) => work() }, addresses);
  return { chain, node, ask };
}

it('an address is believed to have no account where a node that knows the newest blocks says so', async () => {
  const { ask } = standing();
  expect(await ask('mainnet', [addressOf(3_000)])).toEqual([null]);
});

it('a node more than a minute behind is not believed, but for an emulator, which makes no block while there is nothing to put into it', async () => {
  const { node, ask } = standing();
  node.faults.behind = 130;
  expect(await ask('mainnet', [addressOf(3_000), addressOf(3_001)])).toEqual(Array(2).fill('the access node is 66 s behind: it may not know the account yet'));
  expect(await ask('emulator', [addressOf(3_000)])).toEqual([null]);
});

it('an address that has an account after all keeps its row', async () => {
  const { chain, ask } = standing();
  const address = chain.addAccount([], 0n);
  expect(await ask('mainnet', [address])).toEqual(['the access node gives two answers about its account']);
});
