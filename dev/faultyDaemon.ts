import { parseArgs } from 'node:util';
import { runDaemon } from '../src/commands/run.js';
import { AppError, toAppError } from '../src/errors.js';
import { createFaultPort, FAULT_POINTS, type FaultPlan, type Passing } from './faultPort.js';

/**
 * `wallet-sync run` for tests: ends itself with SIGKILL at the n-th passing of a fault point (--die-at POINT --die-hit N), or holds
 * whoever passes there for ever and logs `held at a fault point` (--hold-at POINT --hold-hit N).
 */
async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { 'die-at': { type: 'string' }, 'die-hit': { type: 'string' }, 'hold-at': { type: 'string' }, 'hold-hit': { type: 'string' } } });
    const plan: FaultPlan = { ...named('dieAt', values['die-at'], values['die-hit']), ...named('holdAt', values['hold-at'], values['hold-hit']) };
    const faultPoints = createFaultPort(plan, {
      die: () => process.kill(process.pid, 'SIGKILL'),
      held: (point) => void process.stdout.write(`${JSON.stringify({ msg: 'held at a fault point', point })}\n`),
    });
    await runDaemon({ migrate: false, faultPoints });
    return 0;
  } catch (thrown) {
    const error = toAppError(thrown);
    process.stderr.write(`${error.explain()}\n`);
    return error.kind === 'usage' ? 2 : 1;
  }
}

function named<Key extends string>(key: Key, point: string | undefined, hit = '1'): { [K in Key]?: Passing } {
  if (point === undefined) return {};
  const known = FAULT_POINTS.find((each) => each === point);
  if (known === undefined || !/^[1-9]\d*$/.test(hit)) throw new AppError('usage', `no fault point: ${point} ${hit}`, { where: '--die-at, --hold-at', mend: `one of ${FAULT_POINTS.join(', ')}; hits count from 1` });
  return { [key]: { point: known, hit: Number(hit) } } as { [K in Key]?: Passing };
}

const status = await main();
process.stdout.write('', () => process.exit(status));
