import { onTestFinished } from 'vitest';
import type { DaemonWorld } from '../support/daemonWorld.js';
import { startSignUps, type SignUpStream } from './signUps.js';

/** Sign-ups that go on, one every `everyMs` milliseconds (default 200), until `stop` or the test's end, also where it failed. */
export function signUpsGoOn(world: DaemonWorld, everyMs = 200, options: { readonly again?: boolean } = {}): SignUpStream {
  const stream = startSignUps(world.stack.authPool, everyMs, options);
  onTestFinished(() => stream.stop().then(() => undefined, () => undefined));
  return stream;
}
