import type { Log } from '../../../src/log.js';
import type { Database } from '../../support/database.js';
import { endBackends, endBlockers } from './backends.js';
import type { Step } from './commands.js';
import type { Process, Work } from './process.js';

export interface CrewOptions {
  readonly database: Database;
  readonly log: Log;
  /** How many instances run. */
  readonly size: number;
  /** Makes the one at a place, from 0. */
  readonly make: (place: number) => Process;
}

/** The instances of one world: who runs, who is frozen, who is dead. Places are counted round. */
export interface Crew {
  at(place: number): Process | undefined;
  all(): readonly Process[];
  step(step: Step): Promise<void>;
  /** Everyone who runs does each work in turn, beginning with another one each time. */
  round(works: readonly Work[]): Promise<void>;
  crash(place: number): Promise<void>;
  freeze(place: number): Promise<void>;
  /** All that are frozen go on with what they were doing. */
  wakeAll(): Promise<void>;
  /** In the place of each that is dead another one starts. */
  restartAll(): Promise<void>;
  /** Every connection of every instance ends. */
  breakConnections(): Promise<void>;
  /** Time has passed: the server ends transactions that idle too long. */
  age(seconds: number): Promise<void>;
  /** Waits for what needs the database. What a frozen transaction blocks is freed as the server would free it: that transaction ends. */
  unblocked<T>(work: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** As long as the server lets a transaction idle. */
const IDLE_IN_TRANSACTION_S = 15;
/** So long a statement waits before it is looked at who keeps it waiting. */
const PATIENCE_MS = 50;

/** All of them started. */
export async function startCrew(options: CrewOptions): Promise<Crew> {
  const { database } = options;
  const processes: Process[] = [];
  const everyone: Process[] = [];
  /** Seconds since each one froze. */
  const frozenFor = new Map<Process, number>();
  /** Work that a freeze left in the middle. */
  const suspended = new Map<Process, Promise<unknown>[]>();
  let rounds = 0;

  const at = (place: number): Process | undefined => processes[place % options.size];
  const running = (): Process[] => processes.filter((process) => process.breakpoint.state() === 'running');
  const endConnections = (process: Process, which = 'true'): Promise<void> => endBackends(database, `application_name = $1 and ${which}`, [process.id]);

  const unblocked = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    const settled = done.catch(() => undefined);
    const watch = async (): Promise<void> => {
      while (!isDone) {
        await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
        if (!isDone) await endBlockers(database, [...frozenFor.keys()].map((process) => process.id));
      }
    };
    const [result] = await Promise.all([done, watch()]);
    return result;
  };

  /** After each thing that a process did: who died in it leaves its connections, who froze keeps them. */
  const attend = async (process: Process, work: Promise<unknown>): Promise<void> => {
    await unblocked(Promise.race([work, process.breakpoint.stopped()]));
    await process.breakpoint.idle();
    process.breakpoint.plan(null);
    const state = process.breakpoint.state();
    if (state === 'running') return;
    options.log.info({ instance: process.node.name }, state === 'dead' ? 'instance died' : 'instance froze');
    if (state === 'dead') {
      await endConnections(process);
      process.discard();
    } else {
      frozenFor.set(process, frozenFor.get(process) ?? 0);
      suspended.set(process, [...(suspended.get(process) ?? []), work]);
    }
  };

  const act = async (process: Process | undefined, work: () => Promise<unknown>, halt: Step['halt'] = null): Promise<void> => {
    if (process?.breakpoint.state() !== 'running') return;
    process.breakpoint.plan(halt);
    await attend(process, work());
  };

  const forget = (process: Process): void => {
    frozenFor.delete(process);
    suspended.delete(process);
  };

  const restart = async (place: number): Promise<void> => {
    const process = options.make(place);
    everyone.push(process);
    processes[place] = process;
    await act(process, () => process.start());
  };

  for (let place = 0; place < options.size; place++) await restart(place);
  return {
    at,
    all: () => processes,
    step(each) {
      const process = at(each.instance);
      return act(process, () => process?.work(each.work) ?? Promise.resolve(), each.halt);
    },
    async round(works) {
      rounds += 1;
      for (const work of works) {
        const order = rotate(running(), rounds);
        // Who has taken a transaction over is not always the first to settle it.
        for (const process of work === 'poll' ? order.reverse() : order) await act(process, () => process.work(work));
      }
    },
    async crash(place) {
      const process = at(place);
      if (process === undefined || process.breakpoint.state() === 'dead') return;
      forget(process);
      process.breakpoint.crash();
      await attend(process, Promise.resolve());
    },
    async freeze(place) {
      const process = at(place);
      await act(process, () => Promise.resolve(process?.breakpoint.freeze()));
    },
    async wakeAll() {
      for (const process of [...frozenFor.keys()]) {
        const left = suspended.get(process) ?? [];
        forget(process);
        process.breakpoint.wake();
        await attend(process, Promise.all(left));
      }
    },
    async restartAll() {
      for (const [place, process] of processes.entries()) if (process.breakpoint.state() === 'dead') await restart(place);
    },
    breakConnections: () => endBackends(database, 'application_name = any($1)', [processes.map((process) => process.id)]),
    async age(seconds) {
      for (const [process, frozen] of frozenFor) {
        frozenFor.set(process, frozen + seconds);
        if (frozen + seconds > IDLE_IN_TRANSACTION_S) await endConnections(process, "state like 'idle in transaction%'");
      }
    },
    unblocked,
    async stop() {
      for (const process of everyone) {
        if (process.breakpoint.state() === 'dead') continue;
        process.breakpoint.crash();
        process.discard();
        await endConnections(process);
      }
    },
  };
}

function rotate<T>(all: readonly T[], by: number): T[] {
  const start = by % Math.max(all.length, 1);
  return [...all.slice(start), ...all.slice(0, start)];
}
