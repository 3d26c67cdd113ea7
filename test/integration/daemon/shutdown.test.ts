import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signUpMany } from '../../../dev/signUp.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';

describe('a stop', () => {
  let world: DaemonWorld;
  beforeAll(async () => {
    world = await startDaemonWorld();
  });
  afterAll(() => world.stop());

  it.each(['SIGTERM', 'SIGINT'] as const)('%s amid transactions in flight: exit 0, statistics saved, nothing lost, no duplicate after the next start', async (signal) => {
    const first = world.daemon({ POOL_SIZE: '0' });
    await sourceIs(first, 'notify', 'ok');
    const signUps = await signUpMany(world.stack.authPool, 30);
    await first.logged((line) => line.msg === 'transaction recorded');
    first.kill(signal);
    const { code, stderr } = await first.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(first.lines.at(-1)?.msg).toBe('stopped');
    const { rows } = await world.stack.servicePool.query<{ sent: number; stopped: boolean }>(
      "select (statistics ->> 'transactionsSent')::integer as sent, stopped_at is not null as stopped from wallet_sync.instance order by started_at desc limit 1",
    );
    expect(rows[0]?.stopped).toBe(true);
    expect(rows[0]?.sent).toBeGreaterThan(0);

    const second = world.daemon({ POOL_SIZE: '0' });
    await world.ready(signUps);
    await second.stop();
    expect(await world.duplicates()).toBe(0);
  });

  it('a second signal exits at once', async () => {
    const daemon = world.daemon({ POOL_SIZE: '0' });
    await sourceIs(daemon, 'notify', 'ok');
    // The chain stands still, so the first signal waits for what is in flight.
    await signUpMany(world.stack.authPool, 1);
    await daemon.logged((line) => line.msg === 'transaction recorded');
    world.stack.emulator.signal('SIGSTOP');
    daemon.kill('SIGTERM');
    await daemon.logged((line) => line.msg === 'stopping');
    const asked = performance.now();
    daemon.kill('SIGTERM');
    const { code } = await daemon.ended;
    world.stack.emulator.signal('SIGCONT');
    expect(code).toBe(143);
    expect(performance.now() - asked).toBeLessThan(2_000);
  });
});
