import fc from 'fast-check';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { connectAccessNode } from '../../src/flow/accessNode.js';
import { readAddedKeys, readKeyCount } from '../../src/flow/addKeys.js';
import type { Cadence } from '../../src/flow/cadence.js';
import { checkWallets } from '../../src/flow/checkWallets.js';
import { readCreatedAccounts, readFee } from '../../src/flow/createAccounts.js';
import { classifyChainError, classifyHttpFailure } from '../../src/flow/errors.js';
import { decodeCadence, loadFcl } from '../../src/flow/fcl.js';
import { readDeposits } from '../../src/flow/fundWallets.js';
import type { Limiter } from '../../src/flow/limiter.js';
import { retryDelayMs } from '../../src/handlers/retryPolicy.js';
import { AppError } from '../../src/errors.js';
import { createLog } from '../../src/log.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, hostileText, likeOneOf, toJson } from '../support/hostile.js';

// Its loading is no input's time.
beforeAll(() => loadFcl(), FUZZ_TIMEOUT_MS);
afterEach(() => void vi.unstubAllGlobals());

const stats = { calls: 0, waiting: 0 };
const limiter: Limiter = { run: (_kind: unknown, call: () => Promise<unknown>) => call(), pause: () => undefined, stats: () => ({ script: stats, transaction: stats, event: stats, read: stats }) } as never;
const node = connectAccessNode({ url: 'http://127.0.0.1:1', limiter, log: createLog({ level: 'silent' }) });

const ID = 'ab'.repeat(32);
const ADDRESS = '0x01cf0e2f2f715450';
const base64 = (value: unknown): string => Buffer.from(toJson(value)).toString('base64');
const uint8 = (bytes: readonly number[]) => ({ type: 'Array', value: bytes.map((byte) => ({ type: 'UInt8', value: `${byte}` })) });
const field = (name: string, value: unknown) => ({ name, value });
const event = (id: string, ...fields: object[]) => ({ type: 'Event', value: { id, fields } });

/** As an access node gives them. */
const CADENCE = [
  event('flow.AccountKeyAdded', field('address', { type: 'Address', value: ADDRESS }), field('publicKey', { type: 'Struct', value: { id: 'PublicKey', fields: [field('publicKey', uint8([1, 2, 255])), field('signatureAlgorithm', { type: 'Enum', value: { id: 'SignatureAlgorithm', fields: [field('rawValue', { type: 'UInt8', value: '1' })] } })] } }), field('keyIndex', { type: 'Int', value: '0' })),
  event('A.e5a8b7f23e8b548f.FlowFees.FeesDeducted', field('amount', { type: 'UFix64', value: '0.00001' }), field('inclusionEffort', { type: 'UFix64', value: '1.0' }), field('executionEffort', { type: 'UFix64', value: '0.00008100' })),
  event('A.0ae53cb6e3f42a79.FlowToken.TokensDeposited', field('amount', { type: 'UFix64', value: '0.1' }), field('to', { type: 'Optional', value: { type: 'Address', value: ADDRESS } })),
  { type: 'Struct', value: { id: 's.Answer', fields: [field('height', { type: 'UInt64', value: '123' }), field('flags', { type: 'String', value: '3f01' }), field('balances', { type: 'Array', value: [{ type: 'UFix64', value: '1.5' }, { type: 'UFix64', value: '0.00000000' }] })] } },
  { type: 'Dictionary', value: [{ key: { type: 'String', value: '__proto__' }, value: { type: 'Optional', value: null } }] },
];
const cadenceLike = likeOneOf(...CADENCE);

const eventsOf = cadenceLike.chain((payload) => fc.constantFrom('flow.AccountKeyAdded', 'A.e5a8b7f23e8b548f.FlowFees.FeesDeducted', 'A.0ae53cb6e3f42a79.FlowToken.TokensDeposited').map((type) => ({ type, transaction_id: ID, transaction_index: '0', event_index: '0', payload: base64(payload) })));
const answers = eventsOf.chain((one) =>
  likeOneOf(
    { chain_id: 'flow-testnet' },
    [{ header: { id: ID, parent_id: ID, height: '123', timestamp: '2026-01-01T00:00:00.123456789Z' } }],
    { address: '01cf0e2f2f715450', balance: '100000000', keys: [{ index: '0', public_key: `0x${'ab'.repeat(64)}`, signing_algorithm: 'ECDSA_P256', hashing_algorithm: 'SHA3_256', sequence_number: '4', weight: '1000', revoked: false }] },
    one.payload,
    { block_id: ID, status: 'Sealed', execution: 'Success', status_code: 0, error_message: '', computation_used: '1', events: [one] },
    { block_id: ID, status: 'Sealed', execution: 'Failure', status_code: 1, error_message: '[Error Code: 1101] error caused by: 1 error occurred:\n\terror: [Error Code: 1055] panic: x', events: [one] },
    [{ block_id: ID, block_height: '10', block_timestamp: '2026-01-01T00:00:00Z', events: [one] }, { block_id: ID, block_height: '11', block_timestamp: '2026-01-01T00:00:00Z', events: [] }],
    { code: 400, message: '[Error Code: 1110] computation exceeds limit' },
  ),
);
const CALLS = [
  () => node.chainId(),
  () => node.latestSealedBlock(),
  () => node.heightOf(ID),
  () => node.account(ADDRESS),
  () => node.script('access(all) fun main() {}', []),
  () => node.send({ id: ID, body: '{}' } as never),
  async () => {
    const { events } = await node.result(ID);
    for (const read of [() => readCreatedAccounts(events), () => readFee(events), () => readDeposits(events, { contracts: { FlowToken: '0x0ae53cb6e3f42a79' } }), () => readAddedKeys(events, ADDRESS)]) {
      try {
        read();
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
      }
    }
  },
  async () => {
    for (const { height } of await node.eventsInRange('flow.AccountKeyAdded', 10, 11)) expect([10, 11]).toContain(height);
  },
];

test('10,000 answers to each kind of REST call: read, or refused with a pause that is finite', async () => {
  const answer = fc.record({
    call: fc.nat({ max: CALLS.length - 1 }),
    status: fc.constantFrom(200, 200, 200, 200, 200, 201, 301, 400, 404, 413, 429, 500, 503, 599),
    retryAfter: fc.option(fc.oneof(hostileText, fc.constantFrom('1', '99999999999', '1e308', '-5', 'Wed, 01 Jan 9999 00:00:00 GMT')), { nil: null }),
    body: bytesLike(answers.map(toJson)),
  });
  await fuzz(answer, async ({ call, status, retryAfter, body }) => {
    const headers = new Headers();
    try {
      if (retryAfter !== null) headers.set('retry-after', retryAfter);
    } catch {
      // Not every text can stand in a header.
    }
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(new Uint8Array(body), { status, headers })));
    try {
      await CALLS[call]?.();
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      expect(retryDelayMs(thrown, 1)).toBeLessThanOrEqual(3_600_000);
      // A status that is no answer of an access node is of its own kind, and tried again at a slow pace.
      if (thrown.kind === 'internal' && /answered \d+/.test(thrown.message)) return;
      throw thrown;
    }
  }, { leftBytes: 64_000_000 });
}, FUZZ_TIMEOUT_MS);

test('10,000 values in JSON-Cadence: decoded, or refused as data', async () => {
  await fuzz(cadenceLike, async (value) => {
    await decodeCadence(value);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 answers of the script that looks at wallets: read, or refused', async () => {
  const cadence = { script: () => '', transaction: () => '' } as unknown as Cadence;
  const wallets = [{ address: ADDRESS, publicKey: 'ab'.repeat(64) }, { address: '0x02', publicKey: 'cd'.repeat(64) }];
  await fuzz(likeOneOf({ height: '123', flags: '3f01', balances: ['1.5', '0.00000000'] }), async (value) => {
    const { height, wallets: checked } = await checkWallets({ accessNode: { script: () => Promise.resolve(value) }, cadence, wallets });
    expect(Number.isSafeInteger(height)).toBe(true);
    for (const wallet of checked) expect(wallet.flowBalance >= 0n && wallet.flowBalance < 2n ** 64n).toBe(true);
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 error texts of the chain and of nodes: sorted into kinds, short, and such that they can be shown and stored', async () => {
  const text = fc.array(fc.oneof(hostileText, fc.constantFrom('[Error Code: 1101]', '\nerror: [Error Code: 1007]', 'panic: ', 'transaction is expired')), { maxLength: 6 }).map((parts) => parts.join(' '));
  await fuzz(fc.tuple(text, fc.integer({ min: 100, max: 999 })), ([each, status]) => {
    for (const error of [classifyChainError(each, 'transaction'), classifyHttpFailure({ status, text: each, retryAfter: each, where: 'node' })]) {
      expect(error.message.length).toBeLessThan(800);
      expect(error.message).not.toMatch(/(?![\n\t])\p{Cc}|\p{Cs}/u);
    }
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 bodies in which added keys are counted: a number, or refused', async () => {
  const arg = (value: unknown): string => base64({ type: 'Int', value });
  const bodies = likeOneOf({ script: '', arguments: [arg('0'), arg('10')] }).map(toJson);
  await fuzz(bytesLike(bodies), (body) => expect(readKeyCount(body.toString())).toBeGreaterThan(0));
}, FUZZ_TIMEOUT_MS);
