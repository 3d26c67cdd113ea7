import { CLASS_TEXTS, CLASSES, type AdoptClass } from './classes.js';

/** Users listed of each class. */
export const LISTED = 100;

export interface Listed {
  /** auth_id; of a row without a user, its own id. */
  readonly user: string;
  readonly reason: string;
}

export interface ClassCount {
  readonly class: AdoptClass;
  readonly title: string;
  readonly count: number;
  readonly action: string;
  readonly mend: string | null;
  /** The first 100. */
  readonly users: readonly Listed[];
}

/** What an adoption found, and what it did (nothing, where it only looked). Never a key. */
export interface AdoptReport {
  readonly rows: number;
  /** Entries of flow-production.json that name a user. */
  readonly files: number;
  readonly classes: readonly ClassCount[];
  /** Keys that were encrypted or re-wrapped. */
  readonly sealed: number;
  /** Wallets that came into the journal. */
  readonly adopted: number;
  /** Users who get a new account. */
  readonly provisioned: number;
}

export interface Reporter {
  found(name: AdoptClass, user: string, reason: string): void;
  readonly did: { rows: number; files: number; sealed: number; adopted: number; provisioned: number };
  report(): AdoptReport;
}

/** Counts every row and file by class, and lists the first of each. `missing`: what becomes of those without an account. */
export function createReporter(missing: 'leave' | 'provision'): Reporter {
  const counts = new Map<AdoptClass, { count: number; users: Listed[] }>();
  const did = { rows: 0, files: 0, sealed: 0, adopted: 0, provisioned: 0 };
  return {
    did,
    found(name, user, reason) {
      const entry = counts.get(name) ?? { count: 0, users: [] };
      counts.set(name, entry);
      entry.count += 1;
      if (entry.users.length < LISTED) entry.users.push({ user, reason });
    },
    report: () => ({
      ...did,
      classes: CLASSES.flatMap((name) => {
        const entry = counts.get(name);
        if (entry === undefined) return [];
        const text = name === 'missing-on-chain' && missing === 'provision' ? { ...CLASS_TEXTS[name], action: 'emptied for a new account, old values kept', mend: null } : CLASS_TEXTS[name];
        return [{ class: name, ...text, ...entry }];
      }),
    }),
  };
}
