import type { DecodedTransaction } from '../../../dev/simulatedChain/decodeTransaction.js';
import { createSimulatedChain, type SimulatedChain } from '../../../dev/simulatedChain.js';
import { signUp } from '../../../dev/signUp.js';
import { parseAmount } from '../../../src/flow/amount.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import type { Network } from '../../../src/flow/network.js';
import { createSigner } from '../../../src/flow/sign.js';
import type { Journal } from '../../../src/journal/pool.js';
import type { Log } from '../../../src/log.js';
import { createVault } from '../../../src/secrets.js';
import { readSettings } from '../../../src/settings.js';
import type { Database } from '../../support/database.js';
import type { Command, Shape, Step } from './commands.js';
import { createInvariants } from './invariants.js';
import { createProcess, type Process, type Work } from './process.js';
import type { VirtualClock } from './virtualClock.js';

export interface WorldOptions {
  readonly database: Database;
  /** Of role wallet_sync_service. */
  readonly databaseUrl: string;
  readonly clock: VirtualClock;
  readonly log: Log;
  readonly shape: Shape;
  readonly plant?: Plant;
}

/** A fault planted in what the daemon works with; nothing of it is in src/. */
export interface Plant {
  readonly journal?: (journal: Journal) => Journal;
}

/** A chain, a database and some instances, which commands are given to. */
export interface World {
  run(command: Command): Promise<void>;
  /** Throws the invariant that is broken. */
  check(): Promise<void>;
  /** Ends all faults, brings every instance back, and lets time pass until nothing changes any more. Throws where something is still wrong then. */
  comeToRest(): Promise<void>;
  stop(): Promise<void>;
}

const EXPIRY_BLOCKS = 30;
const BLOCKS_PER_SECOND = 2;
const SEAL_BLOCKS = 2;
const FUNDS = parseAmount('100000');
/** Below the storage's minimum the chain keeps the minimum. */
const EMPTY = 0n;
const THRESHOLD = '0.075';
const MASTER_KEY = '5a'.repeat(32);
/** Leases are of 10 s: who looks this often keeps his. */
const LONGEST_PAUSE_S = 8;
/** As long as the server lets a transaction idle. */
const IDLE_IN_TRANSACTION_S = 15;
/** After the faults end: expiry and margin are 45 s, a parked funder is looked at each 10 s. */
const REST_WITHIN_S = 400;
/** Three rounds: made, sealed, given. */
const WARM_UP_S = 12;
/** The last in the other order: who has taken over is not always the first to settle. */
const ROUND: readonly Work[] = ['beat', 'look', 'make', 'poll'];

const funderKey = generateKeyPair();
const vault = createVault(Buffer.from(MASTER_KEY, 'hex'));

/** An empty database, a new chain, and `shape.instances` instances that have started. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { database, clock, shape } = options;
  await clear(database);
  const settings = readSettings({
    DATABASE_URL: options.databaseUrl,
    SUPABASE_URL: 'http://127.0.0.1:1',
    SUPABASE_SERVICE_ROLE_KEY: 'not used in this test',
    NETWORK: 'emulator',
    WALLET_ENCRYPTION_KEY: MASTER_KEY,
    POOL_SIZE: `${shape.poolSize}`,
    TRANSACTION_EXPIRY: `${EXPIRY_BLOCKS}`,
    FLOW_FUNDING_THRESHOLD: THRESHOLD,
  });
  const contracts = { FlowToken: '0x0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6', BaitCoin: '0xf8d6e0586b0a20c7' };
  const cadence = loadCadence({ name: 'emulator', contracts });
  const onSend = (transaction: DecodedTransaction, by: string): Promise<void> => invariants.onSend(transaction, by);
  const chain: SimulatedChain = createSimulatedChain({ network: { contracts }, cadence, expiryBlocks: EXPIRY_BLOCKS, sealBlocks: SEAL_BLOCKS, now: clock.now, onSend });
  const invariants = createInvariants({ database, chain: () => chain, vault, expiryBlocks: EXPIRY_BLOCKS, threshold: parseAmount(THRESHOLD), poolSize: shape.poolSize });
  const keyIndexes = Array.from({ length: shape.funderKeys }, (_, i) => i);
  const funder = {
    name: 'funder-1',
    address: chain.addAccount(keyIndexes.map(() => funderKey.publicKey), FUNDS),
    keyIndexes,
    signer: createSigner({ privateKey: funderKey.privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }),
  };
  const network: Network = { name: 'emulator', chainId: 'flow-emulator', accessNode: '', contracts, funders: [funder] };

  const users: string[] = [];
  const everyone: Process[] = [];
  const processes: Process[] = [];
  /** Seconds since each one froze. */
  const frozenFor = new Map<Process, number>();
  /** Work that a freeze left in the middle. */
  const suspended = new Map<Process, Promise<unknown>[]>();

  const makeProcess = (place: number): Process => {
    const made = createProcess({
      settings, databaseUrl: options.databaseUrl, node: chain.connect(`${place}`), network, cadence, vault, log: options.log, now: clock.now,
      wrapJournal: (journal) => (options.plant?.journal ?? ((same: Journal) => same))(onClock(journal, clock)),
    });
    everyone.push(made);
    return made;
  };

  const at = <T>(all: readonly T[], index: number): T | undefined => all[index % Math.max(all.length, 1)];
  const running = (): Process[] => processes.filter((process) => process.breakpoint.state() === 'running');

  /** Waits for what needs the database. What a frozen transaction blocks is freed as the server frees it: it ends that transaction. */
  const unblocked = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    done.catch(() => undefined);
    const watch = async (): Promise<void> => {
      while (!isDone) {
        await Promise.race([done.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 50))]);
        if (isDone) return;
        const frozen = processes.filter((process) => process.breakpoint.state() === 'frozen').map((process) => process.id);
        await endBackends(
          database,
          `application_name = any($1) and pid in (select unnest(pg_blocking_pids(w.pid)) from pg_stat_activity w where w.wait_event_type = 'Lock')`,
          [frozen],
        );
      }
    };
    const [result] = await Promise.all([done, watch()]);
    return result;
  };

  const endConnections = (process: Process, which = 'true'): Promise<void> => endBackends(database, `application_name = $1 and ${which}`, [process.id]);

  /** After each thing that a process did: who died in it leaves its connections, who froze keeps them. */
  const attend = async (process: Process, work: Promise<unknown>): Promise<void> => {
    await unblocked(Promise.race([work, process.breakpoint.stopped()]));
    await process.breakpoint.idle();
    process.breakpoint.plan(null);
    const state = process.breakpoint.state();
    if (state === 'dead') {
      await endConnections(process);
      process.discard();
    } else if (state === 'frozen') {
      if (!frozenFor.has(process)) frozenFor.set(process, 0);
      suspended.set(process, [...(suspended.get(process) ?? []), work]);
    }
  };

  const act = async (process: Process | undefined, work: () => Promise<unknown>, halt: Step['halt'] = null): Promise<void> => {
    if (process?.breakpoint.state() !== 'running') return;
    process.breakpoint.plan(halt);
    await attend(process, work());
  };

  const step = (each: Step): Promise<void> => {
    const process = at(processes, each.instance);
    return act(process, () => process?.work(each.work) ?? Promise.resolve(), each.halt);
  };

  const wake = async (process: Process): Promise<void> => {
    if (process.breakpoint.state() !== 'frozen') return;
    frozenFor.delete(process);
    const left = suspended.get(process) ?? [];
    suspended.delete(process);
    process.breakpoint.wake();
    await attend(process, Promise.all(left));
  };

  const crash = async (process: Process | undefined): Promise<void> => {
    if (process === undefined || process.breakpoint.state() === 'dead') return;
    frozenFor.delete(process);
    suspended.delete(process);
    process.breakpoint.crash();
    await attend(process, Promise.resolve());
  };

  const restart = async (place: number): Promise<void> => {
    if (processes[place]?.breakpoint.state() === 'running') return;
    await crash(processes[place]);
    const process = makeProcess(place);
    processes[place] = process;
    await act(process, () => process.start());
  };

  const round = async (works: readonly Work[] = ROUND): Promise<void> => {
    for (const work of works) {
      const order = work === 'poll' ? running().reverse() : running();
      for (const process of order) await act(process, () => process.work(work));
    }
  };

  const pass = async (seconds: number): Promise<void> => {
    await clock.pass(seconds * 1_000);
    chain.advance(seconds * BLOCKS_PER_SECOND);
    for (const [process, frozen] of frozenFor) {
      frozenFor.set(process, frozen + seconds);
      if (frozen + seconds > IDLE_IN_TRANSACTION_S) await endConnections(process, "state like 'idle in transaction%'");
    }
  };

  const passAlive = async (seconds: number): Promise<void> => {
    const pause = seconds <= LONGEST_PAUSE_S ? LONGEST_PAUSE_S / 2 : LONGEST_PAUSE_S;
    for (let left = seconds; left > 0; left -= pause) {
      await pass(Math.min(left, pause));
      await round();
    }
  };

  const asAuth = (sql: string, user: string | undefined): Promise<unknown> => (user === undefined ? Promise.resolve() : unblocked(database.auth.query(sql, [user])));

  const run = async (command: Command): Promise<void> => {
    switch (command.do) {
      case 'sign up':
        for (let i = 0; i < command.users; i++) users.push((await unblocked(signUp(database.auth, command))).authId);
        return;
      case 'confirm':
        return void (await asAuth('update auth.users set email_confirmed_at = now() where id = $1 and email_confirmed_at is null', at(users, command.user)));
      case 'delete':
        return void (await asAuth('delete from auth.users where id = $1', at(users, command.user)));
      case 'delete softly':
        return void (await asAuth('update auth.users set deleted_at = now() where id = $1', at(users, command.user)));
      case 'step':
        return step(command);
      case 'steps':
        return void (await Promise.all(command.steps.map(step)));
      case 'notify':
        return void (await Promise.all(command.instances.map((instance) => step({ instance, work: 'look', halt: null }))));
      case 'work':
        await pass(1);
        return round();
      case 'crash':
        return crash(at(processes, command.instance));
      case 'freeze': {
        const process = at(processes, command.instance);
        return act(process, () => Promise.resolve(process?.breakpoint.freeze()));
      }
      case 'wake':
        for (const process of [...processes]) await wake(process);
        return;
      case 'restart':
        for (const [place, process] of processes.entries()) if (process.breakpoint.state() === 'dead') await restart(place);
        return;
      case 'time passes':
        return command.alive ? passAlive(command.seconds) : pass(command.seconds);
      case 'send fault':
        return chain.planSend(command.fault);
      case 'bad key':
        return chain.poison(command.member);
      case 'dear accounts':
        return chain.setEffortPerAccount(command.effort);
      case 'foreign signature':
        return chain.signOutside(funder.address, command.slot % shape.funderKeys);
      case 'funder':
        return chain.setBalance(funder.address, command.state === 'empty' ? EMPTY : FUNDS);
      case 'node lags': {
        const faults = at(processes, command.instance)?.node.faults;
        if (faults !== undefined) Object.assign(faults, { behind: command.behind, lag: command.lag });
        return;
      }
      case 'node fails': {
        const faults = at(processes, command.instance)?.node.faults;
        if (faults !== undefined) faults.failing = { kind: command.kind, calls: command.calls };
        return;
      }
      case 'spend':
        for (const { created } of chain.ledger.executed) for (const { address } of created) chain.setBalance(address, EMPTY);
        return;
    }
  };

  const endFaults = async (): Promise<void> => {
    chain.clearFaults();
    chain.setBalance(funder.address, FUNDS);
    for (const process of [...processes]) await wake(process);
    for (let place = 0; place < shape.instances; place++) {
      await restart(place);
      const faults = processes[place]?.node.faults;
      if (faults !== undefined) Object.assign(faults, { behind: 0, lag: 0, failing: { kind: 'network', calls: 0 } });
    }
  };

  for (let place = 0; place < shape.instances; place++) await restart(place);
  if (shape.users > 0) {
    await run({ do: 'sign up', users: shape.users, confirmed: true, anonymous: false });
    await passAlive(WARM_UP_S);
  }
  return {
    run,
    check: () => invariants.check(),
    async comeToRest() {
      await endFaults();
      let broken: unknown;
      for (let seconds = 0; seconds < REST_WITHIN_S; seconds += LONGEST_PAUSE_S) {
        await pass(LONGEST_PAUSE_S);
        await round();
        await round(seconds % (4 * LONGEST_PAUSE_S) === 0 ? ['tend', 'sweep'] : ['tend']);
        await invariants.check();
        broken = await invariants.checkAtRest().then(
          () => null,
          (error: unknown) => error,
        );
        if (broken === null) return;
      }
      throw broken;
    },
    async stop() {
      for (const process of everyone) {
        const state = process.breakpoint.state();
        if (state === 'dead') continue;
        process.breakpoint.crash();
        if (state === 'frozen') await endConnections(process);
        process.discard();
      }
    },
  };
}

/** The daemon's statements, reading the test's clock. */
function onClock(journal: Journal, clock: VirtualClock): Journal {
  return {
    query: (text, values) => journal.query(clock.rewrite(text), values),
    transaction: (work) => journal.transaction((db) => work({ query: (text, values) => db.query(clock.rewrite(text), values) })),
    close: () => journal.close(),
  };
}

/** Ends server processes and waits until they are gone: what they had not committed is rolled back. */
async function endBackends(database: Database, which: string, values: readonly unknown[]): Promise<void> {
  // With a time limit of its own, pg_terminate_backend looks only each 100 ms.
  const ended = await database.postgres.query<{ pid: number }>('supabase_admin', `select pid, pg_terminate_backend(pid) from pg_stat_activity where ${which}`, values);
  if (ended.length === 0) return;
  const pids = ended.map((row) => row.pid);
  while ((await database.postgres.query('supabase_admin', 'select 1 from pg_stat_activity where pid = any($1) limit 1', [pids])).length > 0);
}

async function clear(database: Database): Promise<void> {
  await database.clear();
  await database.postgres.query('supabase_admin', 'delete from simulated.stale_write; update wallet_sync.sweeper set leased_by = null, lease_until = null, epoch = 0');
}
