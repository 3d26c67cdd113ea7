import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { startPostgres } from '../../dev/postgres.js';
import { packagePath } from '../../src/packagePath.js';

/** A process of its own that starts the server, tells its process id and data folder, and then only lives. */
const OWNER = `
  import { startPostgres } from ${JSON.stringify(packagePath('dev', 'postgres.ts'))};
  const postgres = await startPostgres();
  const [{ folder }] = await postgres.query('supabase_admin', "select current_setting('data_directory') as folder");
  console.log(JSON.stringify({ pid: postgres.pid(), folder }));
  setInterval(() => undefined, 1000);
`;

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  it(`leaves neither a server nor its data behind when the process that started it gets ${signal}`, async () => {
    const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', OWNER], { cwd: packagePath(), stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void owner.kill('SIGKILL'));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: owner.stdout }).once('line', resolve);
      owner.once('exit', (code) => reject(new Error(`the owner ended (${code})`)));
    });
    const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
    expect(isAlive(pid)).toBe(true);
    expect(existsSync(folder)).toBe(true);
    owner.kill(signal);
    await expect.poll(() => isAlive(pid) || existsSync(folder), { timeout: 20_000 }).toBe(false);
  });
}

it('reports a server that was killed, and still removes its data', async () => {
  const postgres = await startPostgres();
  const [place] = await postgres.query<{ folder: string }>('supabase_admin', `select current_setting('data_directory') as folder`);
  process.kill(postgres.pid(), 'SIGKILL');
  await expect(postgres.died).rejects.toThrow(/ended by itself \(SIGKILL\)/);
  await postgres.stop();
  expect(existsSync(place!.folder)).toBe(false);
});

it('keeps its data, port and passwords over a restart, and that is no death', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  let died = false;
  postgres.died.catch(() => (died = true));
  const pid = postgres.pid();
  await postgres.query('postgres', 'create table public.kept as select 1 as one');
  await postgres.restart();
  expect(await postgres.query('postgres', 'select one from public.kept')).toEqual([{ one: 1 }]);
  expect(postgres.pid()).not.toBe(pid);
  expect(died).toBe(false);
});

it('has the roles of a hosted project: postgres is no superuser, and does not own auth.users', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const roles = await postgres.query('postgres', `
    select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin from pg_roles where rolname !~ '^pg_' order by rolname`);
  const flags = (...on: string[]): Record<string, unknown> =>
    Object.fromEntries(['rolsuper', 'rolcreaterole', 'rolcreatedb', 'rolbypassrls', 'rolreplication', 'rolcanlogin'].map((flag) => [flag, on.includes(flag)]));
  expect(Object.fromEntries(roles.map(({ rolname, ...rest }) => [rolname, rest]))).toEqual({
    anon: flags(),
    authenticated: flags(),
    authenticator: flags('rolcanlogin'),
    postgres: flags('rolcreaterole', 'rolcreatedb', 'rolbypassrls', 'rolreplication', 'rolcanlogin'),
    service_role: flags('rolbypassrls'),
    supabase_admin: flags('rolsuper', 'rolcreaterole', 'rolcreatedb', 'rolbypassrls', 'rolreplication', 'rolcanlogin'),
    supabase_auth_admin: flags('rolcreaterole', 'rolcanlogin'),
  });
  expect(await postgres.query('postgres', `select pubname, pg_get_userbyid(pubowner) as owner from pg_publication`)).toEqual([{ pubname: 'supabase_realtime', owner: 'postgres' }]);
  await expect(postgres.query('postgres', 'alter table auth.users add column mine int')).rejects.toThrow(/must be owner/);
});
