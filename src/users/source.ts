/** A user as far as this service needs to know him. */
export interface User {
  readonly id: string;
  readonly email: string | null;
  readonly createdAt: Date;
}

export interface UserPage {
  readonly users: readonly User[];
  /** Opaque: the listing resumes after this page. */
  readonly cursor: string;
}

/** Where the users are read. */
export interface UserSource {
  readonly name: 'postgres' | 'admin-api' | 'one user';
  /**
   * How many there are. With `admin-api` a little too many: soft-deleted users, and those whom PROVISION leaves out, are counted. Null where
   * the source doesn't say.
   */
  count(): Promise<number | null>;
  /**
   * The users who may have a wallet, after `cursor` (null, or one of another source: from the start). None is missed who is there during the
   * whole listing, and none comes twice, whoever arrives or leaves. One page is in memory at a time, never all users; none is empty. Rejects
   * with the signal's reason once it is aborted, and with an AppError where the source cannot be read.
   */
  pages(cursor: string | null, signal: AbortSignal): AsyncIterable<UserPage>;
  /** Where only the Auth server can tell: whether it knows no such user any more. Rejects with an AppError where it doesn't answer that. */
  isGone?(id: string, signal: AbortSignal): Promise<boolean>;
}
