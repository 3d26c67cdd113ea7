import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/commands/doctor.js';
import type { Finding } from '../../src/doctor/check.js';
import { runCommand } from '../support/command.js';
import { startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { everybody } from '../support/sweeps.js';

let world: DaemonWorld;
let folder: string;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
  folder = join(world.stack.folder, 'doctor');
  await mkdir(folder);
  await everybody(world, 2);
});
afterAll(() => world?.stop());

const sql = (text: string) => world.stack.postgres.query('supabase_admin', text);

/** The stack's settings, the database through the proxy. */
function settings(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env = world.stack.env();
  return { ...env, DATABASE_URL: world.postgresProxy.through(env['DATABASE_URL'] ?? ''), ...changes };
}

interface FlowJson {
  contracts: Record<string, { aliases: Record<string, string> }>;
  accounts: Record<string, { address: string; key: { location: string; index: number } }>;
}

/** A flow.json of its own, changed, beside the stack's key files. */
async function flowJsonWith(change: (flowJson: FlowJson) => void): Promise<Record<string, string>> {
  const path = world.stack.env()['FLOW_JSON'] ?? '';
  const flowJson = JSON.parse(await readFile(path, 'utf8')) as FlowJson;
  change(flowJson);
  const changed = join(dirname(path), 'changed.json');
  await writeFile(changed, JSON.stringify(flowJson));
  return { FLOW_JSON: changed };
}

async function flowJsonWithKeyFile(text: string, mode: number): Promise<Record<string, string>> {
  const location = join(folder, 'funder.pkey');
  await writeFile(location, text);
  await chmod(location, mode);
  return flowJsonWith((flowJson) => void (flowJson.accounts['funder-1']!.key.location = location));
}

const MASTER_KEY = '11'.repeat(32);

interface Fault {
  /** The check that must find it. */
  readonly check: string;
  readonly state?: 'warn';
  readonly found: RegExp;
  readonly mend: RegExp;
  /** Makes it: statements as the superuser, settings that differ, or anything. */
  readonly sql?: string;
  readonly undo?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly make?: () => Promise<Readonly<Record<string, string>> | undefined>;
  readonly end?: () => Promise<unknown> | undefined;
  readonly options?: { now: () => number };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'two settings wrong': { check: 'settings', settings: { POOL_SIZE: '-1', LOG_LEVEL: 'loud' }, found: /2 settings[\s\S]*POOL_SIZE[\s\S]*LOG_LEVEL/, mend: /\.env/ },
  'a .env that others can read': {
    check: '.env file',
    state: 'warn',
    make: async () => {
      await writeFile(join(folder, '.env'), '');
      await chmod(join(folder, '.env'), 0o644);
      return undefined;
    },
    end: () => rm(join(folder, '.env')),
    found: /mode 0644/,
    mend: /chmod 600/,
  },
  'a database that is not there': { check: 'database', settings: { DATABASE_URL: 'postgresql://u:n0t-known@127.0.0.1:1/d' }, found: /ECONNREFUSED/, mend: /DATABASE_URL/ },
  'a wrong password': { check: 'database', make: () => Promise.resolve({ DATABASE_URL: settings()['DATABASE_URL']!.replace(/:[^:@]+@/, ':n0t-the-password@') }), found: /password authentication failed/, mend: /DATABASE_URL/ },
  'a transaction pooler': { check: 'LISTEN', make: () => Promise.resolve(void world.postgresProxy.faults.deafen(true)), end: () => void world.postgresProxy.faults.deafen(false), found: /not heard/, mend: /session pooler \(port 5432\)/ },
  'a machine whose clock is an hour slow': { check: 'clock', options: { now: () => Date.now() - 3_600_000 }, found: /3600\.\d s behind/, mend: /NTP/ },
  'a right that was taken away': { check: 'rights', sql: 'revoke execute on function wallet_sync.assign(integer, text, jsonb, uuid) from wallet_sync_service', found: /lacks execute on wallet_sync\.assign/, mend: /wallet-sync migrate/ },
  'a role that is none of ours': { check: 'rights', make: () => Promise.resolve({ DATABASE_URL: world.stack.postgres.url('supabase_auth_admin') }), found: /may not use schema wallet_sync/, mend: /wallet_sync_service/ },
  'a migration that is missing': { check: 'migrations', sql: "delete from wallet_sync.migration where name = '010_sweep.sql'", found: /lacks 010_sweep\.sql/, mend: /wallet-sync migrate/ },
  'a function that was changed by hand': { check: 'migrations', state: 'warn', sql: "create or replace function wallet_sync.bell_lock() returns bigint language sql immutable parallel safe set search_path = pg_catalog, pg_temp as 'select 1::bigint'", found: /bell_lock/, mend: /wallet-sync migrate/ },
  'a trigger that is disabled': { check: 'triggers', sql: 'alter table auth.users disable trigger zz_wallet_sync_sign_up', undo: 'alter table auth.users enable trigger zz_wallet_sync_sign_up', found: /sign_up is disabled/, mend: /enable trigger/ },
  'a trigger that was dropped': { check: 'triggers', sql: 'drop trigger zz_wallet_sync_user_change on auth.users', found: /user_change is not there/, mend: /wallet-sync migrate/ },
  'a trigger that lets errors through': {
    check: 'triggers',
    sql: "create or replace function wallet_sync.on_sign_up() returns trigger language plpgsql as 'begin insert into public.wallet (auth_id) values (new.id); return new; end'",
    found: /on_sign_up does not run as its owner, finds what others have named.*does not swallow errors/,
    mend: /wallet-sync migrate/,
  },
  'a wallet that goes with its user': {
    check: 'public.wallet',
    sql: 'alter table public.wallet drop constraint wallet_auth_id_fkey; alter table public.wallet add constraint wallet_auth_id_fkey foreign key (auth_id) references auth.users (id) on delete cascade',
    found: /on delete cascade/,
    mend: /wallet-sync migrate/,
  },
  'two rows for a user': { check: 'public.wallet', sql: 'alter table public.wallet drop constraint wallet_auth_id_key', found: /no unique index/, mend: /wallet-sync migrate/ },
  'wallets without row level security': { check: 'public.wallet', sql: 'alter table public.wallet disable row level security', found: /row level security is off/, mend: /enable row level security/ },
  'a view that shows private keys': { check: 'exposure', sql: 'create view public.keys as select flow_private_key from public.wallet; grant select on public.keys to anon; create view public.more as select * from public.keys; grant select on public.more to authenticated', undo: 'drop view public.keys cascade', found: /private keys.*through public\.keys, public\.more/, mend: /revoke all on public\.keys/ },
  'a view of whole rows': { check: 'exposure', sql: 'create view public.rows as select to_jsonb(w) from public.wallet w; grant select on public.rows to anon', undo: 'drop view public.rows', found: /private keys.*through public\.rows/, mend: /revoke all on public\.rows/ },
  'a function that gives whole rows': { check: 'exposure', state: 'warn', sql: "create function public.my_wallet() returns setof public.wallet security definer language sql as 'select * from public.wallet limit 1'", undo: 'drop function public.my_wallet()', found: /public\.my_wallet/, mend: /revoke execute on function/ },
  'a view that shows the journal': { check: 'exposure', sql: 'create view public.accounts as select address from wallet_sync.account; grant select on public.accounts to authenticated', undo: 'drop view public.accounts', found: /the journal, through public\.accounts/, mend: /revoke all on/ },
  'a function that could hand out keys': { check: 'exposure', state: 'warn', sql: "create function public.my_key() returns text security definer language sql as 'select flow_private_key from public.wallet limit 1'", undo: 'drop function public.my_key()', found: /public\.my_key/, mend: /revoke execute on function/ },
  'a policy that shows all rows': { check: 'exposure', state: 'warn', sql: 'create policy "all read" on public.wallet for select using (true)', undo: 'drop policy "all read" on public.wallet', found: /"all read" on public\.wallet may show users rows of others/, mend: /drop policy "all read"/ },
  'users let into the schema': { check: 'exposure', sql: 'grant usage on schema wallet_sync to anon', undo: 'revoke usage on schema wallet_sync from anon', found: /anon may use schema wallet_sync/, mend: /wallet-sync migrate/ },
  'a sequence that users can set back': { check: 'exposure', sql: 'grant update on sequence public.wallet_id_seq to anon', undo: 'revoke all on sequence public.wallet_id_seq from anon', found: /public\.wallet_id_seq|wallet_id_seq/, mend: /wallet-sync migrate/ },
  'private keys that users can read': { check: 'public.wallet', sql: 'grant select on public.wallet to authenticated', found: /authenticated may read flow_private_key/, mend: /revoke select/ },
  'a publication without wallets': { check: 'publication', sql: 'alter publication supabase_realtime drop table public.wallet', found: /lacks public\.wallet/, mend: /add table public\.wallet/ },
  'Realtime that joins and says nothing': { check: 'Realtime', make: () => Promise.resolve(void world.stack.gateway.faults.muteChanges(true)), end: () => void world.stack.gateway.faults.muteChanges(false), found: /does not come back/, mend: /replication slot/ },
  'Realtime that does not answer': { check: 'Realtime', make: () => Promise.resolve(void world.stack.gateway.faults.refuseSockets(true)), end: () => void world.stack.gateway.faults.refuseSockets(false), found: /./, mend: /REALTIME=off/ },
  'the anon key for the service role key': { check: 'service role key', make: () => Promise.resolve({ SUPABASE_SERVICE_ROLE_KEY: world.stack.gateway.anonKey }), found: /key of role anon/, mend: /service role key \(secret\)/ },
  'a key that the Auth server does not know': { check: 'service role key', make: () => Promise.resolve({ SUPABASE_SERVICE_ROLE_KEY: `${world.stack.gateway.serviceRoleKey.slice(0, -6)}abcdef` }), found: /403/, mend: /service role key/ },
  'an Auth server that is not there': { check: 'service role key', settings: { SUPABASE_URL: 'http://127.0.0.1:9' }, found: /Auth server: /, mend: /SUPABASE_URL/ },
  'functions that row level security hides users from': {
    check: 'users',
    sql: `create role hidden inherit in role wallet_sync_service; grant usage on schema auth to hidden; grant select on auth.users to hidden; grant usage, create on schema wallet_sync to hidden;
      alter function wallet_sync.count_users() owner to hidden`,
    undo: 'alter function wallet_sync.count_users() owner to postgres; drop owned by hidden; drop role hidden',
    found: /0 in Postgres, 2 in the Auth server/,
    mend: /bypasses row level security/,
  },
  'a pause': { check: 'control', state: 'warn', sql: 'select wallet_sync.set_paused(true)', undo: 'select wallet_sync.set_paused(false)', found: /paused/, mend: /wallet-sync resume/ },
  'a flow.json that is not there': { check: 'flow.json', settings: { FLOW_JSON: '/nowhere/flow.json' }, found: /cannot be read/, mend: /FLOW_JSON/ },
  'mainnet without spending limits': { check: 'settings', settings: { NETWORK: 'mainnet' }, found: /LIMIT_FLOW_SHORT is missing/, mend: /\.env/ },
  'a flow.json without funding accounts': { check: 'flow.json', make: () => flowJsonWith((flowJson) => void (flowJson.accounts = {})), found: /no funding account/, mend: /funder-/ },
  'a funder\'s key file that others can read': { check: 'flow.json', make: () => flowJsonWithKeyFile('22'.repeat(32), 0o644), found: /mode 0644/, mend: /chmod 600/ },
  'an access node that is not there': { check: 'access node', settings: { FLOW_ACCESS_NODE: 'http://127.0.0.1:1' }, found: /127\.0\.0\.1:1/, mend: /FLOW_ACCESS_NODE/ },
  'an access node of another chain': { check: 'access node', make: async () => ({ NETWORK: 'testnet', FUNDING_ACCOUNTS: 'funder-1', ...(await flowJsonWith((flowJson) => void (flowJson.accounts['funder-1']!.address = '0x7e60df042a9c0868'))) }), found: /serves flow-emulator/, mend: /correct NETWORK/ },
  'a contract that is elsewhere': { check: 'contracts', make: () => flowJsonWith((flowJson) => void (flowJson.contracts['BaitCoin']!.aliases['emulator'] = '0ae53cb6e3f42a79')), found: /BaitCoin/, mend: /contracts/ },
  'a funder that is not on chain': { check: 'funding accounts', make: () => flowJsonWith((flowJson) => void (flowJson.accounts['funder-1']!.address = '0xf0531834ed3da0e4')), found: /funder-1.*does not exist/, mend: /correct its address/ },
  'a funder whose key is another one': { check: 'funding accounts', make: () => flowJsonWithKeyFile('22'.repeat(32), 0o600), found: /key 0 on chain is another one/, mend: /the key that the account has/ },
  'a funder\'s key that is not on chain': { check: 'funding accounts', make: () => flowJsonWith((flowJson) => void (flowJson.accounts['funder-1']!.key.index = 7)), found: /key 7 on chain is missing/, mend: /the key that the account has/ },
  'funders without FLOW': { check: 'FLOW left', settings: { FLOW_FUNDING_AMOUNT: '100000', LIMIT_FLOW_SHORT: 'off', LIMIT_FLOW_LONG: 'off' }, found: /every funding account is below/, mend: /send FLOW to funder-1, funder-2/ },
  'a slot out of rotation': { check: 'slots', state: 'warn', sql: "update wallet_sync.slot set out_of_rotation = 'for a test' where address = (select min(address) from wallet_sync.slot where role = 'funder')", undo: 'update wallet_sync.slot set out_of_rotation = null', found: /1 of 2 out of rotation: .*for a test/, mend: /flow\.json/ },
  'another master key': { check: 'master key', settings: { WALLET_ENCRYPTION_KEY: MASTER_KEY }, found: /encrypted under master key/, mend: /WALLET_ENCRYPTION_KEY/ },
  'a stored key that was changed': { check: 'master key', sql: "update wallet_sync.account set private_key = left(private_key, -4) || 'AAA=' where id = (select max(id) from wallet_sync.account)", undo: 'update wallet_sync.account a set private_key = w.flow_private_key from public.wallet w where w.auth_id = a.auth_id', found: /account \d+: the encrypted key does not open/, mend: /backup/ },
  'a file in place of the accounts\' folder': {
    check: 'ACCOUNTS_DIR',
    make: async () => {
      await writeFile(join(folder, 'accounts'), '');
      return { ACCOUNTS_DIR: join(folder, 'accounts') };
    },
    end: () => rm(join(folder, 'accounts')),
    found: /not a folder/,
    mend: /ACCOUNTS_DIR/,
  },
  'key files that others can read': {
    check: 'ACCOUNTS_DIR',
    make: async () => {
      const pkeys = join(folder, 'open', 'pkeys');
      await mkdir(pkeys, { recursive: true, mode: 0o700 });
      await writeFile(join(pkeys, 'somebody.pkey'), '33'.repeat(32), { mode: 0o644 });
      return { ACCOUNTS_DIR: join(folder, 'open') };
    },
    found: /1 key files.*can be read by others/,
    mend: /chmod 600/,
  },
};

const failed = (findings: readonly Finding[]): Finding[] => findings.filter(({ state }) => state === 'fail' || state === 'warn');

describe('doctor', () => {
  it('finds nothing wrong where nothing is, and looks at everything', async () => {
    const findings = await diagnose(settings(), { folder });
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(findings.length).toBeGreaterThan(20);
  });

  it.each(Object.entries(FAULTS))('finds %s and names its mend', async (_name, fault) => {
    const changes = { ...fault.settings, ...(await fault.make?.()) };
    try {
      if (fault.sql !== undefined) await sql(fault.sql);
      const findings = await diagnose(settings(changes), { folder, ...fault.options });
      const found = findings.find(({ name }) => name === fault.check);
      expect(found).toMatchObject({ state: fault.state ?? 'fail', found: expect.stringMatching(fault.found) as string, mend: expect.stringMatching(fault.mend) as string });
      // No secret, whatever is wrong.
      const { WALLET_ENCRYPTION_KEY = '', SUPABASE_SERVICE_ROLE_KEY = '', DATABASE_URL = '' } = settings(changes);
      for (const secret of [WALLET_ENCRYPTION_KEY, SUPABASE_SERVICE_ROLE_KEY, new URL(DATABASE_URL).password]) expect(JSON.stringify(findings)).not.toContain(secret);
    } finally {
      await fault.end?.();
      if (fault.undo !== undefined) await sql(fault.undo);
      // Whatever a fault has changed in the schema, its mend is this.
      if (fault.sql !== undefined) await world.stack.migrate();
      if (fault.sql?.startsWith('grant')) await sql('revoke select on public.wallet from authenticated; grant select (id, auth_id, created_at, flow_address, flow_public_key) on public.wallet to authenticated');
    }
  });

  it('finds nothing wrong again: each mend has put it right', async () => {
    expect(failed(await diagnose(settings(), { folder }))).toEqual([]);
  });

  it('with a database and an access node that take calls and answer none it ends within 20 s, and says so', async () => {
    world.postgresProxy.faults.freeze(true);
    world.stack.accessNode.faults.freeze(true);
    try {
      const began = performance.now();
      const findings = await diagnose(settings(), { folder });
      expect(performance.now() - began).toBeLessThan(20_000);
      expect(failed(findings).map(({ name }) => name)).toEqual(['database', 'access node']);
    } finally {
      world.postgresProxy.faults.freeze(false);
      world.stack.accessNode.faults.clear();
    }
  });
});

describe('wallet-sync doctor', () => {
  it('prints a line for each check and exits 0 where nothing is wrong', async () => {
    const { code, stdout, stderr } = await runCommand(['doctor'], settings());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^✓ settings .*\n/);
    expect(stdout).toMatch(/\n\d+ ok, \d to look at, 0 wrong, 0 skipped\n$/);
  });

  it('exits 1 where something is wrong, with --json as one line', async () => {
    const { code, stdout } = await runCommand(['--json', 'doctor'], settings({ WALLET_ENCRYPTION_KEY: randomBytes(32).toString('hex'), REALTIME: 'off' }));
    expect(code).toBe(1);
    expect(stdout.trimEnd()).not.toContain('\n');
    const { well, checks } = JSON.parse(stdout) as { well: boolean; checks: Finding[] };
    expect(well).toBe(false);
    expect(checks.filter(({ state }) => state === 'fail').map(({ name }) => name)).toEqual(['master key']);
  });
});
