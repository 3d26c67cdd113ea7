import { describe, expect, it } from 'vitest';
import { readCreatedAccounts, readFee } from '../../src/flow/createAccounts.js';
import { readDeposits } from '../../src/flow/fundWallets.js';

const key = Array.from({ length: 64 }, (_, i) => `${i}`);
const hex = Buffer.from(key.map(Number)).toString('hex');
const network = { contracts: { FlowToken: '0x0ae53cb6e3f42a79' } };

describe('created accounts', () => {
  it('are read from AccountKeyAdded alone, whichever way the key is written', () => {
    const events = [
      { type: 'flow.AccountCreated', data: { address: '0x01' } },
      { type: 'flow.AccountKeyAdded', data: { address: '0x01cf0e2f2f715450', publicKey: { publicKey: key, signatureAlgorithm: { rawValue: '1' } }, weight: '1000.0' } },
      { type: 'flow.AccountKeyAdded', data: { address: '0x1', publicKey: key } },
      { type: 'A.01cf0e2f2f715450.Fake.AccountKeyAdded', data: { address: '0x02', publicKey: key } },
    ];
    expect(readCreatedAccounts(events)).toEqual([
      { publicKey: hex, address: '0x01cf0e2f2f715450' },
      { publicKey: hex, address: '0x0000000000000001' },
    ]);
  });

  it.each([[{}], [{ address: 'alice', publicKey: key }], [{ address: '0x1', publicKey: ['256'] }], [{ address: '0x1', publicKey: 'ab' }]])('with a shape of their own are an error, never guessed: %j', (data) => {
    expect(() => readCreatedAccounts([{ type: 'flow.AccountKeyAdded', data }])).toThrow(expect.objectContaining({ kind: 'data' }));
  });
});

describe('deposits', () => {
  it('are those of FLOW\'s own contract, with a receiver', () => {
    const deposit = (type: string, to: string | null): { type: string; data: Record<string, unknown> } => ({ type, data: { amount: '0.10000000', to } });
    expect(
      readDeposits([deposit('A.0ae53cb6e3f42a79.FlowToken.TokensDeposited', '0x01'), deposit('A.0ae53cb6e3f42a79.FlowToken.TokensDeposited', null), deposit('A.01cf0e2f2f715450.FlowToken.TokensDeposited', '0x02')], network),
    ).toEqual([{ address: '0x0000000000000001', amount: 10_000_000n }]);
  });
});

describe('the fee', () => {
  it('is read in FLOW and in computation units', () => {
    const type = 'A.e5a8b7f23e8b548f.FlowFees.FeesDeducted';
    expect(readFee([{ type, data: { amount: '0.00001000', inclusionEffort: '1.00000000', executionEffort: '0.00008123' } }])).toEqual({ amount: 1_000n, executionEffort: 8_123 });
  });

  it('is null where none was taken', () => {
    expect(readFee([{ type: 'flow.AccountCreated', data: {} }])).toBeNull();
  });
});
