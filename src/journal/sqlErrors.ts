import { AppError, type ErrorKind } from '../errors.js';

interface SqlPolicy {
  readonly kind: ErrorKind;
  readonly mend?: string;
}

const MIGRATE: SqlPolicy = { kind: 'data', mend: 'run `wallet-sync migrate`' };
const RECONNECT: SqlPolicy = { kind: 'network', mend: 'check that DATABASE_URL names a running Postgres' };
// A Supabase project's direct connection has an IPv6 address only.
const UNREACHABLE: SqlPolicy = { kind: 'network', mend: 'check DATABASE_URL; without IPv6 here, use the session pooler (port 5432)' };
const TOO_SLOW: SqlPolicy = { kind: 'network', mend: 'look for what keeps Postgres busy or holds locks (pg_stat_activity)' };
const CERTIFICATE: SqlPolicy = { kind: 'usage', mend: "add sslrootcert=<file of the server's CA certificate> to DATABASE_URL (a Supabase project's: Database Settings, SSL Configuration)" };
const OTHER_HOST: SqlPolicy = { kind: 'usage', mend: "name the host in DATABASE_URL as the server's certificate does" };
const NO_TLS: SqlPolicy = { kind: 'usage', mend: 'turn TLS on at the server (ssl=on), or connect to one that has it; DATABASE_URL must not say sslmode=disable where others can listen' };
const CREDENTIALS: SqlPolicy = { kind: 'usage', mend: 'check user and password in DATABASE_URL' };

/** SQLSTATE codes and Node's own socket codes; a class (first two letters) where the code itself is not listed. */
const POLICIES: Readonly<Record<string, SqlPolicy>> = {
  '42P01': MIGRATE, // undefined_table
  '42883': MIGRATE, // undefined_function
  '42703': MIGRATE, // undefined_column
  '3F000': MIGRATE, // invalid_schema_name
  '42P10': MIGRATE, // invalid_column_reference: public.wallet has lost its unique index
  '42501': { kind: 'data', mend: 'run `wallet-sync migrate` as the role that owns the schema, and connect as wallet_sync_service' }, // insufficient_privilege
  '28P01': CREDENTIALS, // invalid_password
  '28000': CREDENTIALS, // invalid_authorization_specification
  '3D000': { kind: 'usage', mend: 'check the database name in DATABASE_URL' }, // invalid_catalog_name
  '57014': TOO_SLOW, // query_canceled: statement_timeout
  '55P03': TOO_SLOW, // lock_not_available: lock_timeout
  '53300': { kind: 'network', mend: 'let fewer clients connect, or raise max_connections' }, // too_many_connections
  '25006': RECONNECT, // read_only_sql_transaction: a standby answers, as in a failover
  WS007: { kind: 'data', mend: 'nothing to do: the next sweep reads the balance again' }, // guard_member: a deposit came after the balance was read
  WS010: { kind: 'data', mend: 'nothing to do: the account stays as it is' }, // guard_mended: its user is gone
  WS020: { kind: 'funds', mend: 'nothing to do: it goes on when the window has room again; `wallet-sync status` shows the limits' }, // reserve_spending: a spending limit
  WS021: { kind: 'data', mend: 'nothing to do: LIMIT_WALLET_FUNDINGS_LONG and LIMIT_WALLET_FUNDINGS_EVER say how often one wallet is funded' }, // guard_wallet_limit
  WS022: { kind: 'funds', mend: 'send FLOW to it, or lower FUNDER_FLOOR' }, // reserve_spending: the floor of funders
  '08': RECONNECT, // connection exceptions
  '57': RECONNECT, // operator intervention: shutting down, starting up, terminated
  '53': RECONNECT, // insufficient resources
  '40': { kind: 'network' }, // serialization failure, deadlock: the same statement may succeed at once
  ECONNREFUSED: RECONNECT,
  ECONNRESET: RECONNECT,
  ENOTFOUND: RECONNECT,
  ETIMEDOUT: RECONNECT,
  ENETUNREACH: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  EPIPE: RECONNECT,
  EAI_AGAIN: RECONNECT,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  CERT_SIGNATURE_FAILURE: CERTIFICATE,
  ERR_TLS_CERT_ALTNAME_INVALID: OTHER_HOST,
  CERT_HAS_EXPIRED: { kind: 'network', mend: "renew the server's certificate, and look at this machine's clock" },
  CERT_NOT_YET_VALID: { kind: 'network', mend: "look at this machine's clock, and at the server's certificate" },
};

/** Constraints that two instances meet when they do the same at once: what is said instead of Postgres's words. */
const CONSTRAINTS: Readonly<Record<string, Required<SqlPolicy> & { readonly says: string }>> = {
  member_one_live_per_account: { kind: 'data', says: 'an account is a member of a transaction that is not sealed yet', mend: 'nothing to do: the next sweep looks at it again' },
};

/** Texts that pg throws without a code when a connection ends or does not begin. */
const CONNECTION_TEXT = /connection terminated|timeout exceeded when trying to connect|query read timeout|connection ended|server closed the connection|is not queryable/i;

/** pg's own words, without a code, where the server declines TLS. */
const NO_TLS_TEXT = /server does not support SSL connections/i;

/** Whatever a statement threw, as an AppError: `network` where the connection failed, `data` with `wallet-sync migrate` where the schema is missing. */
export function toJournalError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const error = thrown instanceof AggregateError && thrown.errors[0] instanceof Error ? thrown.errors[0] : thrown;
  const message = error instanceof Error ? error.message : String(error);
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const where = code === '' ? 'postgres' : `postgres ${code}`;
  const constraint = typeof error === 'object' && error !== null && 'constraint' in error ? String(error.constraint) : '';
  const met = Object.hasOwn(CONSTRAINTS, constraint) ? CONSTRAINTS[constraint] : undefined;
  if (met !== undefined) return new AppError(met.kind, met.says, { where, mend: met.mend, cause: thrown });
  const policy = policyOf(code) ?? policyOf(code.slice(0, 2)) ?? (NO_TLS_TEXT.test(message) ? NO_TLS : CONNECTION_TEXT.test(message) ? RECONNECT : { kind: 'internal' as const });
  return new AppError(policy.kind, message, { where, cause: thrown, ...(policy.mend === undefined ? {} : { mend: policy.mend }) });
}

function policyOf(code: string): SqlPolicy | undefined {
  return Object.hasOwn(POLICIES, code) ? POLICIES[code] : undefined;
}

/** What a record of a funding or repair is refused for that one of its members has: a later deposit, no user, an unsealed transaction. */
const REFUSED_MEMBER = ['postgres WS007', 'postgres WS010', 'postgres WS021', 'postgres 23505'];

/** Whether the journal refused a transaction for one of its members, and nothing is owed to that one now. */
export function isRefusedMember(error: AppError): boolean {
  return error.kind === 'data' && error.where !== undefined && REFUSED_MEMBER.includes(error.where);
}

/** Whether a spending limit of all has no room for a transaction: it waits, and is no failure. */
export const isLimitReached = (error: AppError): boolean => error.where === 'postgres WS020';

/** Whether a wallet's own limit keeps it from being funded. */
export const isWalletAtLimit = (error: AppError): boolean => error.where === 'postgres WS021';

/** Whether a funder would be left with less than its floor. */
export const isFunderAtFloor = (error: AppError): boolean => error.where === 'postgres WS022';

/** Whether the error says that schema wallet_sync, or part of it, is not there. */
export function isSchemaMissing(error: unknown): boolean {
  return error instanceof AppError && error.mend === MIGRATE.mend;
}
