/** What a row or a file of an older service turns out to be. Each has one class, and what is done follows from it. */
export const CLASSES = [
  'waiting',
  'encrypted',
  'plaintext',
  'old-blob',
  'key-file',
  'in-table',
  'missing-on-chain',
  'mismatch',
  'shared',
  'other-network',
  'no-key',
  'no-address',
  'no-user',
  'does-not-open',
  'other-master-key',
  'conflict',
  'unsafe-file',
  'refused',
] as const;
export type AdoptClass = (typeof CLASSES)[number];

export interface ClassText {
  readonly title: string;
  readonly action: string;
  /** What an operator does about it; null: nothing is wrong. */
  readonly mend: string | null;
}

const SEALED = 'key encrypted, wallet left as it is';

export const CLASS_TEXTS: Readonly<Record<AdoptClass, ClassText>> = {
  waiting: { title: 'has no wallet yet', action: 'none: served as every user', mend: null },
  encrypted: { title: 'encrypted already', action: 'taken into the journal, where not there yet', mend: null },
  plaintext: { title: 'key in the clear', action: 'encrypted, taken into the journal', mend: null },
  'old-blob': { title: 'older service\'s blob', action: 're-wrapped, taken into the journal', mend: null },
  'key-file': { title: 'key file without a row', action: 'put into the table, encrypted', mend: null },
  'in-table': { title: 'key file as in the table', action: 'none', mend: null },
  'missing-on-chain': {
    title: 'missing on chain',
    action: SEALED,
    mend: '`wallet-sync adopt --missing provision` gives each a new account and keeps the old values; whoever sent something to such an address has lost it',
  },
  mismatch: { title: 'key and address disagree', action: SEALED, mend: 'compare the address\'s keys on chain with the row; where the public key alone is wrong, set it to null and adopt again: it is derived' },
  shared: { title: 'another user has the same', action: SEALED, mend: 'find out whose the account is, and empty the other rows (all three columns to null): their users get new accounts' },
  'other-network': { title: 'not of this network', action: SEALED, mend: 'compare NETWORK with the one that the address was made on' },
  'no-key': { title: 'has an address and no key', action: 'none', mend: 'put the key into the row (or its file into ACCOUNTS_DIR/pkeys) and adopt again, or empty the row: its user gets a new account' },
  'no-address': { title: 'has a key and no address', action: SEALED, mend: 'find the key\'s account (an indexer finds it by public key), put its address into the row and adopt again' },
  'no-user': { title: 'its user is gone', action: 'key encrypted, kept in the table', mend: null },
  'does-not-open': { title: 'key does not open', action: 'none', mend: 'set ADOPT_ENCRYPTION_KEY to the older service\'s WALLET_ENCRYPTION_KEY of then; a text that was changed is lost' },
  'other-master-key': { title: 'under another master key', action: 'none', mend: 'set WALLET_ENCRYPTION_KEY to the master key that it names, or rotate from that one' },
  conflict: { title: 'disagrees with what is there', action: 'none: what is there is not overwritten; a file\'s key is kept in the history', mend: 'find out which of the two is on chain (`wallet-sync status --corrupted`) and mend the other by hand' },
  'unsafe-file': { title: 'key file not taken', action: 'none', mend: 'make it a plain file of this user with mode 0600 and adopt again; others may have read it' },
  refused: { title: 'not changed', action: 'none', mend: 'adopt again; where the row itself refuses, mend the constraint or trigger that the reason names' },
};

/** Leaves a row or file as it is, and says why. */
export function refuse(each: { class: AdoptClass; reason: string }, reason: string): void {
  each.class = 'refused';
  each.reason = reason;
}
