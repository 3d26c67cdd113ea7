import { describe, expect, it } from 'vitest';
import { AppError, type ErrorKind } from '../../src/errors.js';
import { isSchemaMissing, toJournalError } from '../../src/journal/sqlErrors.js';

const coded = (code: unknown, message = 'it failed'): Error => Object.assign(new Error(message), { code });

describe('what a statement threw', () => {
  const table: [name: string, code: string, kind: ErrorKind, mend: RegExp | undefined][] = [
    ['undefined_table', '42P01', 'data', /wallet-sync migrate/],
    ['undefined_function', '42883', 'data', /wallet-sync migrate/],
    ['undefined_column', '42703', 'data', /wallet-sync migrate/],
    ['invalid_schema_name', '3F000', 'data', /wallet-sync migrate/],
    ['insufficient_privilege', '42501', 'data', /wallet_sync_service/],
    ['invalid_password', '28P01', 'usage', /user and password/],
    ['invalid_authorization_specification', '28000', 'usage', /user and password/],
    ['invalid_catalog_name', '3D000', 'usage', /database name/],
    ['connection_failure', '08006', 'network', /running Postgres/],
    ['sqlclient_unable_to_establish_sqlconnection', '08001', 'network', /running Postgres/],
    ['admin_shutdown', '57P01', 'network', /running Postgres/],
    ['cannot_connect_now', '57P03', 'network', /running Postgres/],
    ['query_canceled', '57014', 'network', /pg_stat_activity/],
    ['lock_not_available', '55P03', 'network', /pg_stat_activity/],
    ['too_many_connections', '53300', 'network', /max_connections/],
    ['disk_full', '53100', 'network', /running Postgres/],
    ['read_only_sql_transaction', '25006', 'network', /running Postgres/],
    ['serialization_failure', '40001', 'network', undefined],
    ['deadlock_detected', '40P01', 'network', undefined],
    ['unique_violation', '23505', 'internal', undefined],
    ['syntax_error', '42601', 'internal', undefined],
    ['a deposit after the balance was read', 'WS007', 'data', /next sweep/],
    ['a user who is gone', 'WS010', 'data', /nothing to do/],
    ['a refused connection', 'ECONNREFUSED', 'network', /running Postgres/],
    ['a reset connection', 'ECONNRESET', 'network', /running Postgres/],
    ['an unknown host', 'ENOTFOUND', 'network', /running Postgres/],
    ['a name server that is away', 'EAI_AGAIN', 'network', /running Postgres/],
    ['a connection that timed out', 'ETIMEDOUT', 'network', /running Postgres/],
    ['a closed pipe', 'EPIPE', 'network', /running Postgres/],
    ['no IPv6', 'ENETUNREACH', 'network', /session pooler/],
    ['no route', 'EHOSTUNREACH', 'network', /session pooler/],
    ['an unknown certificate', 'SELF_SIGNED_CERT_IN_CHAIN', 'usage', /sslrootcert/],
  ];

  it.each(table)('is sorted by its code: %s (%s) is %s', (_, code, kind, mend) => {
    const thrown = coded(code);
    const error = toJournalError(thrown);
    expect(error).toMatchObject({ kind, message: 'it failed', where: `postgres ${code}`, cause: thrown });
    if (mend === undefined) expect(error.mend).toBeUndefined();
    else expect(error.mend).toMatch(mend);
  });

  it('is said in plain words where two instances met in one account', () => {
    const thrown = Object.assign(coded('23505', 'duplicate key value violates unique constraint "member_one_live_per_account"'), { constraint: 'member_one_live_per_account' });
    expect(toJournalError(thrown)).toMatchObject({ kind: 'data', message: 'an account is a member of a transaction that is not sealed yet', where: 'postgres 23505', mend: expect.stringMatching(/next sweep/) as string, cause: thrown });
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'server closed the connection unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
  ])('is sorted by its text where it has no code: %s', (message) => {
    expect(toJournalError(new Error(message))).toMatchObject({ kind: 'network', where: 'postgres' });
  });

  it('is internal where nothing is known of it', () => {
    expect(toJournalError(new TypeError('x is not a function')).kind).toBe('internal');
    expect(toJournalError(coded('constructor')).kind).toBe('internal');
    expect(toJournalError(coded('toString')).kind).toBe('internal');
    expect(toJournalError(coded(42)).kind).toBe('internal');
    for (const thrown of [undefined, null, 'text', 7, {}]) expect(toJournalError(thrown)).toMatchObject({ kind: 'internal', where: 'postgres' });
  });

  it('is what the first address answered where all of a host’s addresses failed', () => {
    const thrown = new AggregateError([coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432'), coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:5432')]);
    expect(toJournalError(thrown)).toMatchObject({ kind: 'network', message: 'connect ECONNREFUSED ::1:5432', where: 'postgres ECONNREFUSED' });
    expect(toJournalError(new AggregateError([], 'none')).message).toBe('none');
  });

  it('stays itself when it is an AppError', () => {
    const error = new AppError('funds', 'empty');
    expect(toJournalError(error)).toBe(error);
  });
});

describe('a missing schema', () => {
  it.each(['42P01', '42883', '42703', '3F000'])('is told by %s', (code) => {
    expect(isSchemaMissing(toJournalError(coded(code)))).toBe(true);
  });

  it.each(['42501', '23505', '08006', 'ECONNREFUSED'])('is not told by %s', (code) => {
    expect(isSchemaMissing(toJournalError(coded(code)))).toBe(false);
  });

  it('is not told by what is no AppError', () => {
    for (const thrown of [undefined, null, new Error('x'), coded('42P01')]) expect(isSchemaMissing(thrown)).toBe(false);
  });
});
