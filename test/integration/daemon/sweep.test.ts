import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fundingsOnChain, sealedHeight } from '../../../dev/audit.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand } from '../../support/command.js';
import { startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';
import { actAs, BLOCK_VAULT, DROP_VAULT, MISTYPE_RECEIVER, REVOKE_KEY, SPEND_FLOW, UNPUBLISH_BALANCE, UNPUBLISH_RECEIVER, type OwnersAct } from '../../support/walletOwner.js';

const USERS = 300;
/** In 10^-8 FLOW: 0.01, below the threshold of 0.075. */
const LITTLE = 1_000_000n;

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

interface Wallet {
  readonly authId: string;
  readonly address: string;
}

const owner = <Row extends Record<string, unknown>>(sql: string, params: readonly unknown[] = []) => world.stack.postgres.query<Row>('supabase_admin', sql, params);
const ids = (wallets: readonly Wallet[]): string[] => wallets.map((wallet) => wallet.authId);

/** 300 users, all with whole wallets. */
async function everybody(): Promise<Wallet[]> {
  const daemon = world.daemon({ POOL_SIZE: '0', CONFIG_EXPORT: 'off' });
  await world.ready(await world.signUps(USERS), 100_000);
  await daemon.stop();
  const rows = await owner<{ auth_id: string; address: string }>("select auth_id, address from wallet_sync.account where state = 'assigned' order by id");
  return rows.map((row) => ({ authId: row.auth_id, address: row.address }));
}

/** Takes the first so many of those who are left. */
function dealer(wallets: readonly Wallet[]) {
  let dealt = 0;
  return (count: number): Wallet[] => wallets.slice(dealt, (dealt += count));
}

/** The journal forgets these: their wallets were there before the service. */
async function forget(wallets: readonly Wallet[]): Promise<void> {
  const accounts = 'select id from wallet_sync.account where auth_id = any($1)';
  await owner(`delete from wallet_sync.member where account_id in (${accounts})`, [ids(wallets)]);
  await owner('delete from wallet_sync.account where auth_id = any($1)', [ids(wallets)]);
}

const NEVER_FULL = { POOL_SIZE: '0', FLOW_FUNDING_AMOUNT: '0.1' };

it(
  'of 300 users with every kind of fault one sweep mends all that can be mended, with exact counters, and a second one sends no transaction',
  { timeout: 400_000 },
  async () => {
    const deal = dealer(await everybody());
    const vault = createVault(Buffer.from(world.stack.env()['WALLET_ENCRYPTION_KEY'] ?? '', 'base64'));
    const set = (wallets: readonly Wallet[], assignment: string, value: unknown = null) =>
      owner(`update public.wallet set ${assignment} where auth_id = any($1) and $2::text is not distinct from $2::text`, [ids(wallets), value]);

    // Chain: what the owners did. What stands in the same list is done in order.
    const [dropped, noBalance, noReceiver, mistyped] = [deal(10), deal(5), deal(3), deal(2)];
    const [poor, poorAndDropped, blocked, revoked] = [deal(20), deal(4), deal(2), deal(2)];
    const acts: [readonly Wallet[], OwnersAct][] = [
      [dropped, DROP_VAULT], [noBalance, UNPUBLISH_BALANCE], [noReceiver, UNPUBLISH_RECEIVER], [mistyped, MISTYPE_RECEIVER],
      [poor, SPEND_FLOW(LITTLE)], [poorAndDropped, SPEND_FLOW(LITTLE)], [blocked, BLOCK_VAULT], [revoked, REVOKE_KEY],
    ];
    const limit = pLimit(12);
    await Promise.all(acts.flatMap(([wallets, act]) => wallets.map((wallet) => limit(() => actAs(world, wallet, act)))));
    await Promise.all(poorAndDropped.map((wallet) => limit(() => actAs(world, wallet, DROP_VAULT))));

    // Rows: what happened to public.wallet.
    const [noRow, emptied] = [deal(4), deal(3)];
    await owner('delete from public.wallet where auth_id = any($1)', [ids(noRow)]);
    await set(emptied, 'flow_address = null, flow_private_key = null, flow_public_key = null');
    const fresh = await world.signUps(5);
    await owner('delete from public.wallet where auth_id = any($1)', [fresh.map((user) => user.authId)]);
    const [noKey, noAddress, malformed, wrongPair, unreadable, doubled, twins, strangers] = [deal(2), deal(1), deal(1), deal(2), deal(2), deal(1), deal(2), deal(3)];
    await set(noKey, 'flow_private_key = null');
    await set(noAddress, 'flow_address = null');
    await set(malformed, "flow_address = '0xnonsense'");
    // Where the journal knows nothing, the keys themselves must tell.
    await forget([...wrongPair, ...unreadable, ...twins, ...strangers]);
    for (const wallet of wrongPair) {
      const [row] = await owner<{ flow_public_key: string }>('select flow_public_key from public.wallet where auth_id = $1', [wallet.authId]);
      await set([wallet], 'flow_private_key = $2', vault.seal(generateKeyPair().privateKey, row!.flow_public_key));
    }
    await set(unreadable, "flow_private_key = overlay(flow_private_key placing 'AAAA' from 30)");
    await set(doubled, 'flow_address = $2', dropped[0]!.address);
    await owner('update public.wallet w set flow_address = t.flow_address, flow_private_key = t.flow_private_key, flow_public_key = t.flow_public_key from public.wallet t where w.auth_id = $1 and t.auth_id = $2', [twins[0]!.authId, twins[1]!.authId]);
    const corrupted = [noKey, noAddress, malformed, wrongPair, unreadable, doubled, twins, revoked].flat();

    const total = USERS + fresh.length;
    const checked = total - fresh.length - (corrupted.length - revoked.length);
    const known = checked - revoked.length;
    const withoutVault = dropped.length + poorAndDropped.length + blocked.length;
    const repaired = dropped.length + poorAndDropped.length + noBalance.length + noReceiver.length + mistyped.length;
    const funded = poor.length + poorAndDropped.length;
    const before = await sealedHeight(world.stack.emulator.restUrl);
    const rowsBefore = await owner('select auth_id, flow_address, flow_private_key, flow_public_key from public.wallet where auth_id = any($1) order by auth_id', [ids(corrupted)]);

    const sweepNow = async () => {
      const { code, stdout, stderr } = await runCommand(['reconcile', '--json'], { ...world.stack.env(), ...NEVER_FULL });
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout) as Record<string, unknown>;
    };

    const first = await sweepNow();
    expect(first).toMatchObject({
      total_wallets: total,
      corrupted_wallets: corrupted.length,
      wallets_created: noRow.length + fresh.length,
      waiting: fresh.length,
      flow_balance_checks: known,
      vaults_already_exist: known - withoutVault,
      vaults_created: dropped.length + poorAndDropped.length,
      synced_wallets: known - blocked.length,
      flow_funding_needed: funded,
      flow_funding_success: funded,
      flow_funding_errors: 0,
      unsettled: 0,
      errors: { 'chain-state': blocked.length },
    });

    // The counters against the journal and the chain's own events.
    const cycle = first['cycle'] as number;
    const [sql] = await owner<Record<string, string>>(
      `select count(*) filter (where m.makes_vault and t.state = 'sealed') as vaults, count(*) filter (where t.kind = 'repair' and t.state = 'sealed') as repairs,
         count(*) filter (where t.kind = 'fund') as needed, (select sum(fee) from wallet_sync.transaction where cycle = $1) as fees
       from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id where t.cycle = $1`,
      [cycle],
    );
    const deposits = await fundingsOnChain({ postgres: world.stack.postgres, url: world.stack.emulator.restUrl, fromHeight: before + 1 });
    expect({ ...sql }).toMatchObject({ vaults: String(first['vaults_created']), repairs: String(repaired), needed: String(funded) });
    expect([...deposits.keys()].sort()).toEqual([...poor, ...poorAndDropped].map((wallet) => wallet.address).sort());
    expect([...deposits.values()].every((times) => times === 1)).toBe(true);
    expect(BigInt(String(first['flow_spent']).replace('.', ''))).toBe(BigInt(sql!['fees'] ?? 0) + BigInt(funded) * 10_000_000n);

    // Nothing of the corrupted is overwritten; each has its reason.
    expect(await owner('select auth_id, flow_address, flow_private_key, flow_public_key from public.wallet where auth_id = any($1) order by auth_id', [ids(corrupted)])).toEqual(rowsBefore);
    const marked = await owner<{ auth_id: string; reason: string }>("select auth_id, reason from wallet_sync.user_state where state = 'corrupted'");
    expect(marked.map((row) => row.auth_id).sort()).toEqual(ids(corrupted).sort());
    expect(marked.every((row) => row.reason !== '')).toBe(true);

    const sent = async () => (await owner('select count(*) from wallet_sync.transaction'))[0];
    const sentBefore = await sent();
    const second = await sweepNow();
    expect(await sent()).toEqual(sentBefore);
    expect(second).toMatchObject({
      total_wallets: total,
      corrupted_wallets: corrupted.length,
      wallets_created: 0,
      waiting: fresh.length,
      vaults_created: 0,
      vaults_already_exist: known - blocked.length,
      synced_wallets: known - blocked.length,
      set_apart: blocked.length,
      flow_funding_needed: 0,
      flow_spent: '0.00000000',
    });
  },
);
