import { createLog, type Log } from '../../../src/log.js';
import { startDatabase, type Database } from '../../support/database.js';
import type { Command, Shape } from './commands.js';
import { Violation } from './invariants.js';
import { installVirtualClock, type VirtualClock } from './virtualClock.js';
import { createWorld, type Plant } from './world.js';
import { installWriteAudit } from './writeAudit.js';

/** A Postgres of its own, with the test's clock and eyes. */
export interface PropertyDatabase {
  readonly database: Database;
  readonly url: string;
  readonly clock: VirtualClock;
  stop(): Promise<void>;
}

const PASSWORD = 'property';

export async function startPropertyDatabase(): Promise<PropertyDatabase> {
  // Instances come and go by the hundred: a login costs 5 ms of hashing otherwise.
  const database = await startDatabase({ settings: { scram_iterations: '1' } });
  await database.postgres.query('postgres', `alter role wallet_sync_service password '${PASSWORD}'`);
  const clock = await installVirtualClock(database);
  await installWriteAudit(database);
  return { database, url: database.postgres.url('wallet_sync_service', PASSWORD), clock, stop: () => database.stop() };
}

/** What the last run did, for who looks into a failure. */
export const trace: string[] = [];

const log: Log = createLog({ level: 'info', destination: { write: (line) => void trace.push(line.trim()) } });

export interface RunOptions {
  readonly plant?: Plant;
  /** See WorldOptions. */
  readonly isCalm?: boolean;
}

/** Plays one run: each command, a check after each, and the way to rest. Throws the first law that is broken. */
export async function playRun(property: PropertyDatabase, shape: Shape, commands: readonly Command[], options: RunOptions = {}): Promise<void> {
  trace.length = 0;
  const world = await createWorld({ database: property.database, databaseUrl: property.url, clock: property.clock, log, shape, ...options });
  try {
    for (const [i, command] of commands.entries()) {
      trace.push(`> ${JSON.stringify(command)}`);
      await world.run(command);
      try {
        await world.check();
      } catch (error) {
        if (error instanceof Violation) error.after = i;
        throw error;
      }
    }
    trace.push('> rest');
    await world.comeToRest();
  } finally {
    await world.stop();
  }
}
