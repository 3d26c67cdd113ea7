/** A user of the Supabase project. */
export interface User {
  readonly id: string;
  readonly email: string | null;
  readonly createdAt: Date;
}

export interface UserPage {
  readonly users: readonly User[];
  /** Where the next page begins; a listing can be taken up again from it. Opaque. */
  readonly cursor: string;
}

/** All users who may have a wallet, as a stream of pages. */
export interface UserSource {
  readonly name: 'postgres' | 'admin-api' | 'one user';
  /** How many there are, roughly; null: not known. */
  count(): Promise<number | null>;
  /** The pages after `cursor`; null: from the start. */
  pages(cursor: string | null, signal: AbortSignal): AsyncIterable<UserPage>;
}
