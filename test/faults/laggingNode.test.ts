import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealedHeight } from '../../dev/audit.js';
import type { Daemon } from '../../dev/daemon.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { expectExactlyOneWalletEach } from './rest.js';

const EXPIRY = 30;
const MARGIN = 60;
/** Blocks. More than expiry and margin: by the reported height all is over before the other node knows of anything. */
const LAG = 100;

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld({ blockTimeMs: 100, transactionExpiry: EXPIRY });
});
afterAll(() => world?.stop());

/** By the chain's own word, whatever has been found out since. */
async function expectNoneGivenUpThatSealed(daemon: Daemon): Promise<void> {
  for (const line of daemon.lines.filter((each) => each.msg === 'creation expired and given up')) {
    const result = (await (await fetch(`${world.stack.emulator.restUrl}/v1/transaction_results/${String(line['txId'])}`)).json()) as { status: string };
    expect(result.status).not.toBe('Sealed');
  }
}

it('a node that reports a height ahead of the one that answers for results and events: nothing that sealed is given up, nobody gets two accounts', async () => {
  const daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off', TRANSACTION_EXPIRY: `${EXPIRY}` });
  await sourceIs(daemon, 'notify', 'ok');
  world.stack.accessNode.faults.lag(LAG);
  const stream = signUpsGoOn(world, 300);
  const crowd = await world.signUps(10);

  // A transaction whose time is over by the one node's word, unknown by the other's, and sealed.
  await until(60_000, async () => {
    const height = await sealedHeight(world.stack.emulator.restUrl);
    const { rowCount } = await world.stack.servicePool.query("select from wallet_sync.transaction where state = 'live' and reference_height + $1 < $2", [EXPIRY + MARGIN, height]);
    return (rowCount ?? 0) > 0;
  });
  await world.ready(crowd);
  await expectNoneGivenUpThatSealed(daemon);

  world.stack.accessNode.faults.clear();
  await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
  await expectNoneGivenUpThatSealed(daemon);
  await daemon.stop();
});
