import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { checkBatch } from '../../src/handlers/sweep/checkBatch.js';
import { createTelemetry } from '../../src/telemetry/events.js';
import { createScriptSize } from '../../src/handlers/sweep/scriptSize.js';
import { startTestChain, type TestChain } from './chainParts.js';

let chain: TestChain;
beforeAll(async () => {
  chain = await startTestChain({ blockTimeMs: 0 });
});
afterAll(() => chain?.stop());

const NOBODY = '0x01cf0e2f2f715450';
const MANY_KEYS = 'transaction { prepare(me: auth(AddKey) &Account) { let key = me.keys.get(keyIndex: 0)!; var i = 0; while i < 150 { me.keys.add(publicKey: key.publicKey, hashAlgorithm: key.hashAlgorithm, weight: 0.0); i = i + 1 } } }';

/** The real node, which fails each script that asks about one of these addresses, as a value that cannot be loaded makes it. Counts the scripts. */
function failingFor(...addresses: readonly string[]) {
  let scripts = 0;
  const node: Pick<AccessNode, 'script'> = {
    script(cadence: string, args: readonly FclArg[], options) {
      scripts += 1;
      if (addresses.some((address) => JSON.stringify(args[0]).includes(address))) return Promise.reject(new AppError('chain-state', 'failed to load type'));
      return chain.accessNode.script(cadence, args, options);
    },
  };
  return { node: node as AccessNode, scripts: () => scripts };
}

const check = (node: AccessNode, wallets: readonly { address: string; publicKey: string }[]) =>
  checkBatch({ node, cadence: chain.cadence, telemetry: createTelemetry() }, wallets, { size: createScriptSize(), signal: new AbortController().signal, patience: { attempts: 3, waitMs: 0, standstillMs: 0 }, onCall: () => undefined });

it('one wallet that makes the script fail is found by halving and stands alone; all others get their answer', async () => {
  const sound = await chain.makeBareWallet();
  const others = Array.from({ length: 62 }, () => ({ address: sound.address, publicKey: sound.publicKey }));
  const hostile = { address: NOBODY, publicKey: sound.publicKey };
  const { node, scripts } = failingFor(NOBODY);
  const checks = await check(node, [...others.slice(0, 40), hostile, ...others.slice(40)]);
  expect(checks.map((each) => each.kind)).toEqual([...Array<string>(40).fill('checked'), 'alone', ...Array<string>(22).fill('checked')]);
  expect(checks.filter((each) => each.kind === 'checked').every((each) => each.wallet.keyPresent)).toBe(true);
  // Of 64 it takes two a halving, and one to see that the script itself is sound.
  expect(scripts()).toBeLessThanOrEqual(1 + 2 * 6 + 1);
});

it('a script that fails for nobody\'s sake is no wallet\'s fault', async () => {
  const node = { script: () => Promise.reject(new AppError('chain-state', 'the contract is gone')) } as unknown as AccessNode;
  await expect(check(node, [{ address: NOBODY, publicKey: 'ab'.repeat(64) }])).rejects.toMatchObject({ kind: 'chain-state' });
});

it('an account with more keys than anybody needs costs the others no more than a hundred looks; its first key is seen', async () => {
  const wallet = await chain.makeBareWallet();
  expect((await chain.run(MANY_KEYS, [], wallet)).failed).toBeNull();
  const [mine, last] = await check(chain.accessNode, [wallet, { address: wallet.address, publicKey: 'ab'.repeat(64) }]);
  expect([mine, last]).toMatchObject([{ kind: 'checked', wallet: { keyPresent: true } }, { kind: 'checked', wallet: { keyPresent: false } }]);
});

it('a node that is too slow for many is asked about fewer; one that is away is not', async () => {
  const sound = await chain.makeBareWallet();
  const wallets = Array.from({ length: 300 }, () => ({ address: sound.address, publicKey: sound.publicKey }));
  const slow = (isTimeout: boolean): AccessNode =>
    ({
      script: (cadence: string, args: readonly FclArg[]) =>
        (args[0]?.value as readonly unknown[]).length > 100 ? Promise.reject(new AppError('network', 'no answer', { isTimeout })) : chain.accessNode.script(cadence, args),
    }) as unknown as AccessNode;
  expect((await check(slow(true), wallets)).every((each) => each.kind === 'checked')).toBe(true);
  await expect(check(slow(false), wallets)).rejects.toMatchObject({ kind: 'network' });
});
