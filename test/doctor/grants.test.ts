import { describe, expect, it } from 'vitest';
import { grantsIn, readGrants } from '../../src/doctor/grants.js';

describe('the rights that sql/ gives', () => {
  it('are read one by one: privileges, columns and objects', () => {
    const sql = `
      grant usage on schema s to wallet_sync_service; -- grant delete on s.no to wallet_sync_service;
      grant select, update (a, b) on s.one, s.two to wallet_sync_service;
      grant execute on function s.f(integer, text), s.g() to wallet_sync_service, service_role;
      grant select on s.other to service_role;`;
    expect(grantsIn(sql).map(({ on, object, privilege, column }) => [on, privilege, column, object].join(' '))).toEqual([
      'schema usage  s',
      'table select  s.one',
      'table select  s.two',
      'table update a s.one',
      'table update b s.one',
      'table update a s.two',
      'table update b s.two',
      'function execute  s.f(integer, text)',
      'function execute  s.g()',
    ]);
  });

  it('of this version are there, and each names what it is on', async () => {
    const grants = await readGrants();
    expect(grants.length).toBeGreaterThan(40);
    for (const grant of grants) expect(grant).toMatchObject({ privilege: expect.stringMatching(/^(select|insert|update|delete|usage|execute)$/) as string, object: expect.stringMatching(/^(wallet_sync|(wallet_sync|public)\.\w+(\(.*\))?)$/) as string });
  });
});
