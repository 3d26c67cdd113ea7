import { prepareAccounts, type PreparedAccount } from '../../src/journal/demand.js';
import { recordSealedCreation } from '../../src/journal/creations.js';
import { leaseSlot, registerSlots, type Slot } from '../../src/journal/slots.js';
import { recordTransaction, type LiveTransaction, type Member, type TransactionKind } from '../../src/journal/transactions.js';
import { makeKeys } from './accounts.js';
import { hex, type Database } from './database.js';

export const FUNDER = '0x00000000000000aa';

/** The journal's own steps, short, for tests of its rules: one funder, transactions of random bytes. */
export interface JournalSteps {
  slot(instanceId: string): Promise<Slot>;
  prepare(instanceId: string, count: number): Promise<PreparedAccount[]>;
  record(instanceId: string, kind: TransactionKind, members: readonly Member[], referenceHeight?: number): Promise<LiveTransaction>;
  /** The same on a slot that is leased already. */
  recordOn(slot: Slot, instanceId: string, kind: TransactionKind, members: readonly Member[], referenceHeight?: number): Promise<LiveTransaction>;
  create(instanceId: string, accounts: readonly PreparedAccount[]): Promise<LiveTransaction>;
  seal(instanceId: string, transaction: LiveTransaction, accounts: readonly PreparedAccount[], sealedHeight?: number): Promise<number>;
}

/** `database` must be migrated; `keys` slots are registered. */
export async function journalSteps(database: Database, keys = 9): Promise<JournalSteps> {
  const { journal } = database;
  await registerSlots(journal, Array.from({ length: keys }, (_, keyIndex) => ({ address: FUNDER, keyIndex })));
  const slot = async (instanceId: string): Promise<Slot> => {
    const leased = await leaseSlot(journal, instanceId, [FUNDER]);
    if (leased === null) throw new Error('no slot is free');
    return leased;
  };
  const recordOn: JournalSteps['recordOn'] = (slot, instanceId, kind, members, referenceHeight = 100) =>
    recordTransaction(journal, { instanceId, kind, slot, transaction: { id: hex(32), body: '{}' }, sequenceNumber: 7, referenceHeight, expiryBlocks: 600, members });
  const record: JournalSteps['record'] = async (instanceId, kind, members, referenceHeight) => recordOn(await slot(instanceId), instanceId, kind, members, referenceHeight);
  return {
    slot,
    record,
    recordOn,
    prepare: (instanceId, count) => prepareAccounts(journal, { instanceId, poolSize: count, maxAccounts: 25, decide: (demand) => demand.demand, room: () => Promise.resolve(Infinity), makeKeys }),
    create: (instanceId, accounts) => record(instanceId, 'create', accounts.map((account) => ({ accountId: account.id }))),
    seal: (instanceId, transaction, accounts, sealedHeight = 110) =>
      recordSealedCreation(journal, { instanceId, transaction, sealedHeight, fee: 1n, executionEffort: 1, created: accounts.map(({ publicKey }) => ({ publicKey, address: `0x${hex(8)}` })) }),
  };
}
