import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { auditChain, duplicatesOf, faultsOf, type Audit } from '../../dev/audit.js';
import { sendAndSeal } from '../../dev/chain.js';
import { buildCreateAccounts, readCreatedAccounts } from '../../src/flow/createAccounts.js';
import { buildFundWallets } from '../../src/flow/fundWallets.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { registerSlots } from '../../src/journal/slots.js';
import { hex, startDatabase, type Database } from '../support/database.js';
import { startTestChain, type TestChain, type TestWallet } from './chainParts.js';

const FUNDING = 10_000_000n;

let chain: TestChain;
let database: Database;
let giver: TestWallet;
let fromHeight: number;
beforeAll(async () => {
  // Short blocks: one test needs more than 250 of them.
  [chain, database] = await Promise.all([startTestChain({ blockTimeMs: 30 }), startDatabase()]);
  giver = await chain.makeBareWallet();
});
beforeEach(async () => {
  await database.clear();
  await registerSlots(database.journal, [{ address: chain.funder.address, keyIndex: 0 }]);
  fromHeight = (await chain.accessNode.latestSealedBlock()).height + 1;
});
afterAll(async () => {
  await chain.stop();
  await database.stop();
});

const audit = (): Promise<Audit> => auditChain({ postgres: database.postgres, url: chain.emulator.restUrl, fromHeight });
const parts = async () => ({ network: chain.network, cadence: chain.cadence, slot: await chain.slot(), signer: chain.funder.signer, reference: await chain.reference() });

interface Made {
  readonly publicKey: string;
  readonly address: string;
}

/** Makes accounts as the daemon does, on chain only. */
async function makeOnChain(publicKeys: readonly string[], fundingAmount = FUNDING): Promise<Made[]> {
  const { events } = await sendAndSeal(chain.accessNode, await buildCreateAccounts({ ...(await parts()), publicKeys, fundingAmount }));
  return readCreatedAccounts(events);
}

async function fund(addresses: readonly string[], amount = FUNDING): Promise<void> {
  await sendAndSeal(chain.accessNode, await buildFundWallets({ ...(await parts()), deposits: addresses.map((address) => ({ address, amount })) }));
}

const keys = (count: number): string[] => Array.from({ length: count }, () => generateKeyPair().publicKey);

/** Rows in state free, the first `assigned` of them with a user and his wallet. */
async function record(accounts: readonly Made[], assigned = 0): Promise<void> {
  for (const [i, account] of accounts.entries()) {
    if (i >= assigned) {
      await database.asOwner("insert into wallet_sync.account (state, public_key, private_key, address) values ('free', $1, 'v1', $2)", [account.publicKey, account.address]);
      continue;
    }
    await database.asOwner("insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment) values ('assigned', $1, 'v1', $2, gen_random_uuid(), nextval('wallet_sync.assignment'))", [account.publicKey, account.address]);
    await database.asOwner('insert into public.wallet (flow_address, flow_public_key) values ($2, $1)', [account.publicKey, account.address]);
  }
}

/** A submitted row, member of a transaction in that state. */
async function submit(publicKey: string, state: 'live' | 'given_up'): Promise<void> {
  const id = hex(32);
  await database.asOwner("insert into wallet_sync.account (state, public_key, private_key) values ('submitted', $1, 'v1')", [publicKey]);
  await database.asOwner(
    `insert into wallet_sync.transaction (id, kind, body, proposer_address, proposer_key_index, sequence_number, reference_height, expiry_blocks, instance, epoch, state, settled_at)
     values ($1, 'create', '{}', $2, 0, 0, 0, 600, gen_random_uuid(), 0, $3::wallet_sync.transaction_state, case when $3 <> 'live' then clock_timestamp() end)`,
    [id, chain.funder.address, state],
  );
  await database.asOwner('insert into wallet_sync.member (transaction_id, account_id, live) select $1, id, $3 from wallet_sync.account where public_key = $2', [id, publicKey, state === 'live']);
}

it('a clean world has no fault, and as many accounts on chain as rows that own one', async () => {
  await record(await makeOnChain(keys(4)), 2);
  const clean = await audit();
  expect(faultsOf(clean)).toEqual({});
  expect(clean).toMatchObject({ accountsOnChain: 4, accountsOwned: 4 });
  expect(duplicatesOf(clean)).toBe(0);
});

it('an account made by hand, whose key has no row, is stranded', async () => {
  await record(await makeOnChain(keys(1)));
  await makeOnChain(keys(2));
  expect(faultsOf(await audit())).toEqual({ stranded: 2 });
});

it.each(['prepared', 'submitted', 'expired', 'failed'])('an account on chain whose row is %s is stranded', async (state) => {
  const [publicKey] = keys(1);
  await makeOnChain([publicKey!]);
  await database.asOwner("insert into wallet_sync.account (state, public_key, private_key) values ($2::wallet_sync.account_state, $1, 'v1')", [publicKey, state]);
  expect(faultsOf(await audit())).toEqual({ stranded: 1 });
});

it('an account on chain whose row is submitted is in flight while its transaction is live, and stranded once it is not', async () => {
  const [flying, givenUp] = keys(2);
  await submit(flying!, 'live');
  await submit(givenUp!, 'given_up');
  await makeOnChain([flying!, givenUp!]);
  const found = await audit();
  expect(faultsOf(found)).toEqual({ inFlight: 1, stranded: 1 });
  expect(duplicatesOf(found)).toBe(1);
});

it('a row whose account the chain does not show, or shows with another key, is missing there', async () => {
  const [made] = await makeOnChain(keys(1));
  await record([{ publicKey: hex(64), address: made!.address }, { publicKey: hex(64), address: `0x${hex(8)}` }]);
  expect(faultsOf(await audit())).toEqual({ missingOnChain: 2, stranded: 1 });
});

it('a key on two accounts is one user with two, and the account without a row is stranded', async () => {
  const [publicKey] = keys(1);
  await record(await makeOnChain([publicKey!]));
  await makeOnChain([publicKey!]);
  expect(faultsOf(await audit())).toEqual({ keysWithTwoAccounts: 1, stranded: 1 });
});

it('a wallet funded twice by us is counted; a gift of the same amount, another amount, and the minimum for storage are not', async () => {
  const made = await makeOnChain(keys(3));
  await record(made);
  await fund([made[0]!.address]);
  await fund([made[1]!.address], FUNDING + 1n);
  const gift = await chain.run(
    `import "FungibleToken"
     import "FlowToken"
     transaction(to: Address) { prepare(giver: auth(BorrowValue) &Account) {
       let vault = giver.storage.borrow<auth(FungibleToken.Withdraw) &FlowToken.Vault>(from: /storage/flowTokenVault)!
       getAccount(to).capabilities.borrow<&{FungibleToken.Receiver}>(/public/flowTokenReceiver)!.deposit(from: <- vault.withdraw(amount: 0.1))
     } }`,
    [{ type: 'Address', value: made[2]!.address }],
    giver,
  );
  expect(gift.failed).toBeNull();
  expect(faultsOf(await audit())).toEqual({ fundedTwice: 1 });
});

it('a refill is a funding of the journal with the wallet as its member, once: a wallet that is none of its members, and one that is recorded as failed, are no refills', async () => {
  const [refilled, stranger, failed] = await makeOnChain(keys(3));
  await record([refilled!, stranger!, failed!]);
  const journaled = async (addresses: readonly string[], members: readonly Made[], state: 'sealed' | 'failed'): Promise<void> => {
    const transaction = await buildFundWallets({ ...(await parts()), deposits: addresses.map((address) => ({ address, amount: FUNDING })) });
    await sendAndSeal(chain.accessNode, transaction);
    await database.asOwner(
      `insert into wallet_sync.transaction (id, kind, body, proposer_address, proposer_key_index, sequence_number, reference_height, expiry_blocks, instance, epoch, state, settled_at)
       values ($1, 'fund', '{}', $2, 0, 0, 0, 600, gen_random_uuid(), 0, $3::wallet_sync.transaction_state, clock_timestamp())`,
      [transaction.id, chain.funder.address, state],
    );
    await database.asOwner('insert into wallet_sync.member (transaction_id, account_id, balance_height, live) select $1, id, 1, false from wallet_sync.account where address = any($2)', [transaction.id, members.map((each) => each.address)]);
  };
  await journaled([refilled!.address], [refilled!], 'sealed');
  await journaled([refilled!.address], [refilled!], 'sealed');
  expect(faultsOf(await audit())).toEqual({});
  await journaled([stranger!.address], [refilled!], 'sealed');
  expect(faultsOf(await audit())).toEqual({ fundedTwice: 1 });
  await journaled([failed!.address], [failed!], 'failed');
  expect(faultsOf(await audit())).toEqual({ fundedTwice: 2 });
});

it('an account that never got its funding is counted', async () => {
  const made = await makeOnChain(keys(2), 0n);
  await record(made);
  await fund([made[0]!.address]);
  expect(faultsOf(await audit())).toEqual({ neverFunded: 1 });
});

it('an address that two users have is counted, and a wallet with a key that is not on chain', async () => {
  const [made] = await makeOnChain(keys(1));
  await record([made!], 1);
  await database.asOwner('insert into public.wallet (flow_address, flow_public_key) values ($1, $2)', [made!.address, hex(64)]);
  expect(faultsOf(await audit())).toEqual({ addressesOfTwoUsers: 1, walletsNotOnChain: 1 });
});

it('searches more blocks than an access node gives in one call', async () => {
  await makeOnChain(keys(1));
  fromHeight = 0;
  await expect.poll(async () => (await chain.accessNode.latestSealedBlock()).height, { timeout: 60_000, interval: 200 }).toBeGreaterThan(260);
  // The funders that the stack made are strangers to the journal, too.
  expect((await audit()).stranded).toBeGreaterThan(1);
});
