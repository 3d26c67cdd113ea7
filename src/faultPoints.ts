/**
 * The steps between which a process can die, in the order of a wallet's life. Each name says what is true when it is passed:
 * keys committed, signed bytes committed, a broadcast about to start, its answer taken, a result that is not sealed yet, a sealed
 * result read and not recorded, recorded, an account given and no file written, the files written.
 */
export type FaultPoint = 'key stored' | 'bytes stored' | 'before send' | 'after send' | 'before seal' | 'sealed' | 'settled' | 'assigned' | 'files written';

/** Every step of the way passes here, so that tests can end or hold the process exactly there. */
export interface FaultPort {
  at(point: FaultPoint): Promise<void>;
}

/** What the product runs with: nothing happens. */
export const NO_FAULTS: FaultPort = { at: () => Promise.resolve() };
