import fc from 'fast-check';
import type { SendFault } from '../../../dev/simulatedChain/sendFaults.js';
import type { FaultPoint } from '../../../src/faultPoints.js';
import type { Policy } from '../../../src/journal/policy.js';
import type { Halt } from './breakpoint.js';
import { WORKS, type Work } from './process.js';

/** One instance does one thing, and may be halted in it. Numbers of instances, users and wallets are counted round. */
export interface Step {
  readonly instance: number;
  readonly work: Work;
  readonly halt: Halt | null;
}

/** What can happen. */
export type Command =
  | { readonly do: 'sign up'; readonly users: number; readonly confirmed: boolean; readonly anonymous: boolean }
  | { readonly do: 'confirm' | 'delete' | 'delete softly'; readonly user: number }
  | ({ readonly do: 'step' } & Step)
  /** Both at the same time. */
  | { readonly do: 'steps'; readonly steps: readonly [Step, Step] }
  /** A doorbell heard by one instance, or twice, or by two. */
  | { readonly do: 'notify'; readonly instances: readonly number[] }
  /** Every running instance does in turn what its reactor would. */
  | { readonly do: 'work' }
  | { readonly do: 'crash' | 'freeze'; readonly instance: number }
  /** All that are frozen; all that are dead. */
  | { readonly do: 'wake' | 'restart' }
  /** Blocks come, leases run out. `alive`: instances that run say so and work meanwhile; otherwise nobody does anything. */
  | { readonly do: 'time passes'; readonly seconds: number; readonly alive: boolean }
  /** Every connection of every instance breaks, as when Postgres restarts. */
  | { readonly do: 'connections break' }
  | { readonly do: 'send fault'; readonly fault: SendFault }
  | { readonly do: 'bad key'; readonly member: number }
  | { readonly do: 'dear accounts'; readonly effort: number }
  | { readonly do: 'foreign signature'; readonly slot: number }
  | { readonly do: 'funder'; readonly state: 'empty' | 'refilled' }
  | { readonly do: 'node lags'; readonly instance: number; readonly behind: number; readonly lag: number }
  | { readonly do: 'node fails'; readonly instance: number; readonly kind: 'network' | 'rate-limit'; readonly calls: number }
  /** Every wallet's owner spends all its FLOW. */
  | { readonly do: 'spend' }
  /** The same, one instance funds them, and when that may have sealed it funds by the same list again. */
  | { readonly do: 'fund twice'; readonly instance: number };

/** What a run starts with. */
export interface Shape {
  readonly instances: number;
  readonly funderKeys: number;
  readonly poolSize: number;
  readonly provision: Policy['provision'];
  readonly assign: Policy['assign'];
  /** Users who have signed up, and mostly got their wallets, before the first command. */
  readonly users: number;
}

const POINTS: readonly FaultPoint[] = ['key stored', 'bytes stored', 'before send', 'after send', 'before seal', 'sealed', 'settled'];
const index = fc.nat({ max: 5 });

const halt: fc.Arbitrary<Halt> = fc.oneof(
  fc.record({ mode: fc.constantFrom('crash', 'freeze'), at: fc.constantFrom(...POINTS), nth: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ mode: fc.constantFrom('crash', 'freeze', 'cut'), at: fc.constant('any' as const), nth: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 30 })) }),
);
/** Fundings more often than the rest: each needs a spending, a check and a free slot before it. */
const work = fc.constantFrom(...WORKS, 'fund' as const, 'fund' as const, 'fund' as const);
const calmStep: fc.Arbitrary<Step> = fc.record({ instance: index, work, halt: fc.constant(null) });
const step: fc.Arbitrary<Step> = fc.oneof({ weight: 3, arbitrary: calmStep }, { weight: 2, arbitrary: fc.record({ instance: index, work, halt }) });

const sendFault: fc.Arbitrary<SendFault> = fc.oneof(
  fc.record({ name: fc.constantFrom('answer lost', 'refused', 'dropped', 'result hidden', 'hidden') }),
  fc.record({ name: fc.constant('late' as const), blocks: fc.integer({ min: 1, max: 29 }) }),
);

const steps = (each: fc.Arbitrary<Step>): fc.Arbitrary<Command> => fc.tuple(each, each).map((both) => ({ do: 'steps' as const, steps: both }));

/** What happens where all is well. */
const CALM: fc.WeightedArbitrary<Command>[] = [
  { weight: 6, arbitrary: fc.record({ do: fc.constant('sign up' as const), users: fc.integer({ min: 1, max: 4 }), confirmed: fc.boolean(), anonymous: fc.boolean() }) },
  { weight: 8, arbitrary: fc.constant({ do: 'work' } as const) },
  { weight: 2, arbitrary: fc.array(index, { minLength: 1, maxLength: 2 }).map((instances) => ({ do: 'notify' as const, instances })) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time passes' as const), seconds: fc.integer({ min: 1, max: 8 }), alive: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('confirm', 'delete', 'delete softly'), user: fc.nat({ max: 20 }) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'spend' } as const) },
  { weight: 2, arbitrary: index.map((instance) => ({ do: 'fund twice' as const, instance })) },
];

/** Two who make accounts at the same time. */
const makeAtOnce: fc.Arbitrary<Command> = fc.tuple(index, index).map(([one, other]) => ({
  do: 'steps' as const,
  steps: [{ instance: one, work: 'make' as const, halt: null }, { instance: other, work: 'make' as const, halt: null }] as const,
}));

const ACCIDENTS: fc.WeightedArbitrary<Command>[] = [
  { weight: 14, arbitrary: step.map((each) => ({ do: 'step' as const, ...each })) },
  { weight: 4, arbitrary: steps(step) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time passes' as const), seconds: fc.integer({ min: 1, max: 8 }), alive: fc.constant(false) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('time passes' as const), seconds: fc.constantFrom(11, 25, 50), alive: fc.boolean() }) },
  { weight: 6, arbitrary: fc.constantFrom({ do: 'restart' } as const, { do: 'wake' } as const) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('crash', 'freeze'), instance: index }) },
  { weight: 1, arbitrary: fc.constant({ do: 'connections break' } as const) },
  { weight: 4, arbitrary: sendFault.map((fault) => ({ do: 'send fault' as const, fault })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bad key' as const), member: fc.nat({ max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dear accounts' as const), effort: fc.constantFrom(324, 3_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('foreign signature' as const), slot: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('funder' as const), state: fc.constantFrom('refilled', 'empty') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('node lags' as const), instance: index, behind: fc.constantFrom(0, 3, 20), lag: fc.constantFrom(0, 5, 40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('node fails' as const), instance: index, kind: fc.constantFrom('network', 'rate-limit'), calls: fc.integer({ min: 1, max: 6 }) }) },
];

/** Long runs as often as short ones. */
const runOf = (...each: fc.WeightedArbitrary<Command>[]): fc.Arbitrary<Command[]> => fc.noBias(fc.array(fc.oneof(...each), { minLength: 1, maxLength: 50, size: 'max' }));

/** A run with everything that can happen. */
export const commands = runOf(...CALM, ...ACCIDENTS);

/** A run without any accident. */
export const calmCommands = runOf(...CALM, { weight: 6, arbitrary: calmStep.map((each) => ({ do: 'step' as const, ...each })) }, { weight: 6, arbitrary: steps(calmStep) }, { weight: 6, arbitrary: makeAtOnce });

export const shape: fc.Arbitrary<Shape> = fc.record({
  instances: fc.constantFrom(1, 2, 2, 3),
  funderKeys: fc.constantFrom(1, 2, 3),
  poolSize: fc.constantFrom(0, 3, 6),
  provision: fc.constantFrom('all', 'confirmed', 'non-anonymous'),
  assign: fc.constantFrom('daemon', 'trigger'),
  users: fc.nat({ max: 3 }),
});
