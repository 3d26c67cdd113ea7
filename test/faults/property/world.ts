import { createSimulatedChain, type SimulatedChain } from '../../../dev/simulatedChain.js';
import { signUp } from '../../../dev/signUp.js';
import { parseAmount } from '../../../src/flow/amount.js';
import type { Journal } from '../../../src/journal/pool.js';
import type { Log } from '../../../src/log.js';
import type { Database } from '../../support/database.js';
import type { Command, Shape } from './commands.js';
import { startCrew } from './crew.js';
import { createInvariants, type Invariants } from './invariants.js';
import { createProcess, type Work } from './process.js';
import { cadence, clear, CONTRACTS, EXPIRY_BLOCKS, funderPublicKeys, FUNDING_THRESHOLD, networkOf, onClock, settingsOf, vault, masterKey } from './stage.js';
import type { VirtualClock } from './virtualClock.js';

export interface WorldOptions {
  readonly database: Database;
  /** Of role wallet_sync_service. */
  readonly databaseUrl: string;
  readonly clock: VirtualClock;
  readonly log: Log;
  readonly shape: Shape;
  readonly plant?: Plant;
  /** Nothing goes wrong: instances may make no account more than is wanted. Default false. */
  readonly isCalm?: boolean;
}

/** A fault planted in what the daemon works with; nothing of it is in src/. */
export interface Plant {
  readonly journal?: (journal: Journal) => Journal;
}

/** A chain, a database and some instances, which commands are given to. */
export interface World {
  run(command: Command): Promise<void>;
  /** Throws the law that is broken. */
  check(): Promise<void>;
  /** Ends all faults, brings every instance back, and lets time pass until everyone has what is his, twice: the second time for users who come then. Throws what is still wrong after long. */
  comeToRest(): Promise<void>;
  stop(): Promise<void>;
}

const BLOCKS_PER_SECOND = 2;
const SEAL_BLOCKS = 2;
const FUNDS = parseAmount('100000');
/** Below the storage's minimum the chain keeps the minimum. */
const EMPTY = 0n;
/** Leases are of 10 s: who looks this often keeps his. */
const LONGEST_PAUSE_S = 8;
/** After the faults end: expiry and margin are 45 s, a funder out of rotation is looked at in each tending. */
const REST_WITHIN_S = 400;
/** Four blocks: what is sent is executed in the first and sealed with the third. */
const SEALED_AFTER_S = 2;
/** Three rounds: made, sealed, given. */
const WARM_UP_S = 12;
const LAST_USERS = 2;
/** What a reactor does all the time. */
const ROUND: readonly Work[] = ['beat', 'look', 'make', 'poll'];

/** An empty database, a new chain, and `shape.instances` instances that have started. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { database, clock, shape, plant } = options;
  await clear(database);
  const settings = settingsOf(shape, options.databaseUrl);
  const users: string[] = [];
  const chain: SimulatedChain = createSimulatedChain({
    network: { contracts: CONTRACTS }, cadence, expiryBlocks: EXPIRY_BLOCKS, sealBlocks: SEAL_BLOCKS, now: clock.now,
    onSend: (transaction, by) => invariants.onSend(transaction, by),
  });
  const invariants: Invariants = createInvariants({ database, chain, vault, expiryBlocks: EXPIRY_BLOCKS, threshold: FUNDING_THRESHOLD, shape, users: options.isCalm === true ? () => users.length : null });
  const funder = chain.addAccount(funderPublicKeys(shape.funderKeys), FUNDS);
  const network = networkOf(funder, shape.funderKeys);
  const wrapJournal = (journal: Journal): Journal => (plant?.journal === undefined ? onClock(journal, clock) : plant.journal(onClock(journal, clock)));
  const crew = await startCrew({
    database,
    log: options.log,
    size: shape.instances,
    make: (place) => createProcess({ settings, masterKey, databaseUrl: options.databaseUrl, node: chain.connect(`${place}`), network, cadence, log: options.log, now: clock.now, wrapJournal }),
  });

  const pass = async (seconds: number): Promise<void> => {
    await clock.pass(seconds * 1_000);
    chain.advance(seconds * BLOCKS_PER_SECOND);
    await crew.age(seconds);
  };

  const passAlive = async (seconds: number): Promise<void> => {
    const pause = seconds <= LONGEST_PAUSE_S ? LONGEST_PAUSE_S / 2 : LONGEST_PAUSE_S;
    for (let left = seconds; left > 0; left -= pause) {
      await pass(Math.min(left, pause));
      await crew.round(ROUND);
    }
  };

  /** As the Auth server, for one of those who have signed up. */
  const asAuth = async (sql: string, user: number): Promise<void> => {
    const authId = users[user % Math.max(users.length, 1)];
    if (authId !== undefined) await crew.unblocked(database.auth.query(sql, [authId]));
  };

  /** And waits until it is sealed. */
  const spendAll = async (): Promise<void> => {
    for (const { created } of chain.ledger.executed) for (const { address } of created) chain.setBalance(address, EMPTY);
    await pass(SEALED_AFTER_S);
  };

  const run = async (command: Command): Promise<void> => {
    switch (command.do) {
      case 'sign up':
        for (let i = 0; i < command.users; i++) users.push((await crew.unblocked(signUp(database.auth, command))).authId);
        return;
      case 'confirm':
        return asAuth('update auth.users set email_confirmed_at = now(), is_anonymous = false where id = $1 and email_confirmed_at is null', command.user);
      case 'delete':
        return asAuth('delete from auth.users where id = $1', command.user);
      case 'delete softly':
        return asAuth('update auth.users set deleted_at = now() where id = $1', command.user);
      case 'step':
        return crew.step(command);
      case 'steps':
        return void (await Promise.all(command.steps.map((step) => crew.step(step))));
      case 'notify':
        return void (await Promise.all(command.instances.map((instance) => crew.step({ instance, work: 'look', halt: null }))));
      case 'work':
        await pass(1);
        return crew.round(ROUND);
      case 'crash':
        return crew.crash(command.instance);
      case 'freeze':
        return crew.freeze(command.instance);
      case 'wake':
        return crew.wakeAll();
      case 'restart':
        return crew.restartAll();
      case 'time passes':
        return command.alive ? passAlive(command.seconds) : pass(command.seconds);
      case 'connections break':
        return crew.breakConnections();
      case 'send fault':
        return chain.planSend(command.fault);
      case 'bad key':
        return chain.poison(command.member);
      case 'dear accounts':
        return chain.setEffortPerAccount(command.effort);
      case 'foreign signature':
        return chain.signOutside(funder, command.slot % shape.funderKeys);
      case 'funder':
        return chain.setBalance(funder, command.state === 'empty' ? EMPTY : FUNDS);
      case 'node lags':
        return void Object.assign(crew.at(command.instance)?.node.faults ?? {}, { behind: command.behind, lag: command.lag });
      case 'node fails':
        return void Object.assign(crew.at(command.instance)?.node.faults ?? {}, { failing: { kind: command.kind, calls: command.calls } });
      case 'spend':
        return spendAll();
      case 'fund twice':
        await spendAll();
        for (const work of ['check', 'fund'] as const) await crew.step({ instance: command.instance, work, halt: null });
        await pass(SEALED_AFTER_S);
        await crew.round(ROUND);
        return crew.step({ instance: command.instance, work: 'fund', halt: null });
    }
  };

  const endFaults = async (): Promise<void> => {
    chain.clearFaults();
    chain.setBalance(funder, FUNDS);
    await crew.wakeAll();
    await crew.restartAll();
    for (const process of crew.all()) Object.assign(process.node.faults, { behind: 0, lag: 0, failing: { kind: 'network', calls: 0 } });
  };

  const waitForRest = async (): Promise<void> => {
    let broken: unknown;
    for (let seconds = 0; seconds < REST_WITHIN_S; seconds += LONGEST_PAUSE_S) {
      await pass(LONGEST_PAUSE_S);
      await crew.round(ROUND);
      await crew.round(seconds % (4 * LONGEST_PAUSE_S) === 0 ? ['tend', 'sweep'] : ['tend']);
      await invariants.check();
      broken = await invariants.checkAtRest().then(
        () => null,
        (error: unknown) => error,
      );
      if (broken === null) return;
    }
    throw broken;
  };

  if (shape.users > 0) {
    await run({ do: 'sign up', users: shape.users, confirmed: true, anonymous: false });
    await passAlive(WARM_UP_S);
  }
  return {
    run,
    check: () => invariants.check(),
    async comeToRest() {
      await endFaults();
      await waitForRest();
      await run({ do: 'sign up', users: LAST_USERS, confirmed: true, anonymous: false });
      await waitForRest();
    },
    stop: () => crew.stop(),
  };
}
