import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sendAndSeal } from '../../../dev/chain.js';
import { SERVICE_ADDRESS } from '../../../dev/emulator.js';
import { startKms, type KmsStandIn } from '../../../dev/kms/kms.js';
import { arnIn, type StandInKey, unwrap } from '../../../dev/kms/keys.js';
import { startDaemon } from '../../../dev/daemon.js';
import { connectAccessNode } from '../../../src/flow/accessNode.js';
import { amountArg, stringArg } from '../../../src/flow/args.js';
import { parseAmount } from '../../../src/flow/amount.js';
import { buildTransaction } from '../../../src/flow/buildTransaction.js';
import { resolveImports } from '../../../src/flow/cadence.js';
import { readCreatedAccounts } from '../../../src/flow/createAccounts.js';
import { isKeyOf } from '../../../src/flow/keys.js';
import { createLimiter } from '../../../src/flow/limiter.js';
import { loadNetwork } from '../../../src/flow/network.js';
import { createSigner } from '../../../src/flow/sign.js';
import { createLog } from '../../../src/log.js';
import { createVault } from '../../../src/secrets.js';
import { runCommand } from '../../support/command.js';
import { startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';

/** Real daemons on the real emulator, whose master key and funders' keys are in files, mounts and KMS (by its wire protocol). */

const MAKE_ACCOUNT = `
import "FungibleToken"
import "FlowToken"
transaction(publicKey: String, funds: UFix64) {
    prepare(service: auth(BorrowValue) &Account) {
        let account = Account(payer: service)
        account.keys.add(publicKey: PublicKey(publicKey: publicKey.decodeHex(), signatureAlgorithm: SignatureAlgorithm.ECDSA_secp256k1), hashAlgorithm: HashAlgorithm.SHA2_256, weight: 1000.0)
        let vault = service.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
        account.storage.borrow<&FlowToken.Vault>(from: /storage/flowTokenVault)!.deposit(from: <- vault.withdraw(amount: funds))
    }
}`;

/** Accounts on chain that the journal does not know: the one that this test makes itself. */
const OURS = 1;

let world: DaemonWorld;
let kms: KmsStandIn;
/** What `keys generate --kms` printed, and the key that it stands for. */
let setting: string;
let masterKey: Buffer;
let wrappingKey: StandInKey;
/** flow.json in which the keys of funder-kms and funder-k1 are in KMS; funder-1 has its file. */
let flowJson: string;
let kmsAddresses: Record<'funder-kms' | 'funder-k1', string>;
/** The key of funder-1, in KMS too. */
let importedArn: string;

beforeAll(async () => {
  [world, kms] = await Promise.all([startDaemonWorld({ funders: 2 }), startKms()]);
  wrappingKey = kms.makeKey('SYMMETRIC_DEFAULT');
  const { code, stdout, stderr } = await runCommand(['keys', 'generate', '--kms', wrappingKey.arn], kms.env());
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  setting = stdout.trim();
  const wrapped = Buffer.from(setting.split(':').at(-1)!, 'base64');
  expect(arnIn(wrapped)).toBe(wrappingKey.arn);
  masterKey = unwrap(wrappingKey, wrapped, { service: 'flow-wallet-sync', purpose: 'master key' })!;
  await writeFlowJson();
});
afterEach(() => kms.faults.clear());
afterAll(async () => {
  await world?.stop();
  await kms?.stop();
});

async function writeFlowJson(): Promise<void> {
  const path = world.stack.env()['FLOW_JSON']!;
  const config = JSON.parse(await readFile(path, 'utf8')) as { accounts: Record<string, { address: string; key: Record<string, unknown> }> };
  const keyOf = async (name: string): Promise<string> => (await readFile(join(world.stack.folder, 'keys', `${name}.pkey`), 'utf8')).trim();
  importedArn = kms.makeKey('ECC_NIST_P256', await keyOf('funder-1')).arn;
  const p256 = kms.makeKey('ECC_NIST_P256', await keyOf('funder-2'));
  const k1 = kms.makeKey('ECC_SECG_P256K1');
  const network = await loadNetwork({ flowJsonPath: path, network: 'emulator', env: {} });
  const node = connectAccessNode({ url: world.stack.emulator.restUrl, log: createLog({ level: 'silent' }), limiter: createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 }) });
  const service = { address: SERVICE_ADDRESS, keyIndex: 0, signer: createSigner({ privateKey: world.stack.emulator.servicePrivateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }) };
  const { sequenceNumber } = (await node.account(SERVICE_ADDRESS))!.keys[0]!;
  const { events } = await sendAndSeal(node, await buildTransaction({
    cadence: resolveImports(MAKE_ACCOUNT, network.contracts, 'emulator'), args: [stringArg(k1.publicKey), amountArg(parseAmount('1000'))],
    reference: await node.latestSealedBlock(), proposer: { ...service, sequenceNumber }, payer: service, authorizers: [service],
  }));
  node.close();
  kmsAddresses = { 'funder-kms': network.funders[1]!.address, 'funder-k1': readCreatedAccounts(events)[0]!.address };
  config.accounts['funder-kms'] = { address: kmsAddresses['funder-kms'], key: { type: 'aws-kms', resourceID: p256.arn } };
  config.accounts['funder-k1'] = { address: kmsAddresses['funder-k1'], key: { type: 'aws-kms', resourceID: k1.arn, signatureAlgorithm: 'ECDSA_secp256k1', hashAlgorithm: 'SHA2_256' } };
  flowJson = join(world.stack.folder, 'flow-kms.json');
  await writeFile(flowJson, JSON.stringify(config));
}

const settings = (more: Readonly<Record<string, string>>): Record<string, string> => ({ ...kms.env(), FLOW_JSON: flowJson, WALLET_ENCRYPTION_KEY: setting, POOL_SIZE: '0', BACKLOG_POLL: '1', CONFIG_EXPORT: 'off', ...more });
const signs = (): number => kms.calls.filter(({ action }) => action === 'Sign').length;
const proposers = async (ids: readonly string[]): Promise<unknown[]> =>
  (await world.stack.postgres.query('postgres', "select distinct t.proposer_address as address from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id join wallet_sync.account a on a.id = m.account_id where a.auth_id = any($1::uuid[])", [ids])).map((row) => row['address']);

/** Every stored key of these users opens with the master key, and is that of its public key. */
async function keysOpen(ids: readonly string[]): Promise<boolean> {
  const rows = await world.stack.postgres.query<{ private_key: string; public_key: string }>('postgres', 'select private_key, public_key from wallet_sync.account where auth_id = any($1::uuid[])', [ids]);
  const vault = createVault(masterKey);
  return rows.length === ids.length && rows.every((row) => isKeyOf(vault.open(row.private_key, row.public_key), row.public_key));
}

describe('keys that never leave KMS', () => {
  it('funders on both curves make batches of accounts, signed in KMS, under a master key that KMS wraps and is asked for once', async () => {
    const daemon = world.daemon(settings({ FUNDING_ACCOUNTS: 'funder-kms,funder-k1' }));
    const ids: string[] = [];
    // The slot that was not used for longest is next, so each of both has a batch.
    for (let batch = 0; batch < 2; batch++) {
      const signUps = await world.signUps(3);
      await world.ready(signUps);
      ids.push(...signUps.map(({ authId }) => authId));
    }
    await daemon.stop();
    expect(new Set(await proposers(ids))).toEqual(new Set(Object.values(kmsAddresses)));
    expect(signs()).toBeGreaterThanOrEqual(2);
    expect(await keysOpen(ids)).toBe(true);
    expect(kms.calls.filter(({ action }) => action === 'Decrypt')).toHaveLength(1);
    expect(await world.duplicates()).toBe(OURS);
    expect((await daemon.ended).stderr).toBe('');
  });

  it('FUNDER_KEY_<NAME> names a KMS key while flow.json stays as the Flow CLI reads it; and a KMS that fails records nothing, loses nothing and delays alone', async () => {
    const daemon = world.daemon(settings({ FUNDING_ACCOUNTS: 'funder-1', FUNDER_KEY_FUNDER_1: `aws-kms:${importedArn}` }));
    await daemon.logged((line) => line.msg === 'source health' && line['source'] === 'notify' && line['state'] === 'ok');
    kms.faults.answer('KeyUnavailableException', 100_000);
    const count = async (): Promise<unknown> => (await world.stack.postgres.query('postgres', 'select count(*)::int as n from wallet_sync.transaction'))[0]!['n'];
    const before = await count();
    const signUps = await world.signUps(2);
    const refused = await daemon.logged((line) => line.msg === 'creation not started');
    expect(refused).toMatchObject({ kind: 'network', where: 'FUNDER_KEY_FUNDER_1', reason: expect.stringContaining('KeyUnavailableException') as string });
    expect(await count()).toBe(before);
    kms.faults.clear();
    await world.ready(signUps);
    expect(await keysOpen(signUps.map(({ authId }) => authId))).toBe(true);
    expect(await world.duplicates()).toBe(OURS);
    await daemon.stop();
  });
});

it('a daemon gives wallets under a master key in a file, and never shows it', async () => {
  const path = join(world.stack.folder, 'master.key');
  await writeFile(path, `${masterKey.toString('base64')}\n`, { mode: 0o600 });
  const daemon = world.daemon({ WALLET_ENCRYPTION_KEY: `file:${path}`, POOL_SIZE: '0', FUNDING_ACCOUNTS: 'funder-1' });
  const signUps = await world.signUps(1);
  await world.ready(signUps);
  await daemon.stop();
  expect(await keysOpen(signUps.map(({ authId }) => authId))).toBe(true);
  for (const secret of [masterKey.toString('base64'), masterKey.toString('hex')]) expect(JSON.stringify(daemon.lines)).not.toContain(secret);
});

describe('a start stops with one error that names the setting, and changes nothing, where', () => {
  /** As node resolves a package that is not installed. */
  const WITHOUT_PACKAGE = `--import=data:text/javascript,${encodeURIComponent(`import{register}from'node:module';register('data:text/javascript,'+encodeURIComponent("export async function resolve(s,c,n){if(s==='@aws-sdk/client-kms'){const e=new Error('Cannot find package');e.code='ERR_MODULE_NOT_FOUND';throw e}return n(s,c)}"))`)}`;
  const otherKey = (): string => setting.replace(wrappingKey.arn, kms.makeKey('SYMMETRIC_DEFAULT').arn);

  it.each<[string, () => Record<string, string>, number, RegExp, RegExp]>([
    ['access to the KMS key is denied', () => (kms.faults.deny('Decrypt'), {}), 2, /^WALLET_ENCRYPTION_KEY: AWS KMS denies access \(AccessDeniedException\): User: arn:aws:iam/, /docs\/key-sources\.md/],
    ['another KMS key wrapped it', () => ({ WALLET_ENCRYPTION_KEY: otherKey() }), 2, /^WALLET_ENCRYPTION_KEY: AWS KMS says that another key wrapped it/, /keys generate --kms/],
    ['AWS\'s client is not installed', () => ({ NODE_OPTIONS: WITHOUT_PACKAGE }), 2, /^WALLET_ENCRYPTION_KEY: AWS KMS is named, but AWS's client is not installed/, /npm install .*@aws-sdk\/client-kms@/],
    ['a funder\'s KMS key is not the account\'s', () => ({ FUNDER_KEY_FUNDER_1: `aws-kms:${kms.makeKey('ECC_NIST_P256').arn}` }), 2, /^funding account funder-1 .*its key 0 on chain is another one/, /flow\.json/],
  ])('%s', async (_, change, exit, says, mend) => {
    const state = async (): Promise<unknown> => world.stack.postgres.query('postgres', "select (select count(*)::int from wallet_sync.instance) as instances, (select count(*)::int from wallet_sync.audit) as entries, (select count(*)::int from wallet_sync.transaction) as transactions");
    const before = await state();
    const { code, stderr } = await startDaemon({ ...world.stack.env(), ...settings({ FUNDING_ACCOUNTS: 'funder-1' }), ...change() }).ended;
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(mend);
    expect(code).toBe(exit);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).not.toContain(setting.split(':').at(-1)!.slice(0, 24));
    expect(await state()).toEqual(before);
  });
});

it('keys generate refuses a key that is none of KMS, and says what is denied', async () => {
  const none = await runCommand(['keys', 'generate', '--kms', 'alias/mine'], kms.env());
  expect(none).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^--kms: not the ARN of a KMS key\n {2}mend: name the key as arn:aws:kms:/) as string });
  kms.faults.deny('GenerateDataKeyWithoutPlaintext');
  const denied = await runCommand(['--json', 'keys', 'generate', '--kms', wrappingKey.arn], kms.env());
  expect(denied).toMatchObject({ code: 2, stdout: '' });
  expect(JSON.parse(denied.stderr)).toMatchObject({ kind: 'usage', where: '--kms', error: expect.stringContaining('kms:GenerateDataKeyWithoutPlaintext') as string });
});
