import { describe, expect, it } from 'vitest';
import type { Funder, LivingInstance, Status } from '../../dashboard/types.d.ts';
import { judge } from '../../dashboard/verdict.js';

const INSTANCE: LivingInstance = { id: 'i', host: 'host', pid: 7, sources: { notify: { state: 'ok', reason: null }, realtime: { state: 'connecting', reason: null } }, access_node: { state: 'ok', reason: null }, last_error: null };
const WELL: Status = {
  wallets: 1_204,
  ready: 1_204,
  waiting: 0,
  corrupted: 0,
  orphaned: 0,
  apart: 0,
  oldest_waiting_s: null,
  live_transactions: 0,
  oldest_transaction_s: null,
  slots: 9,
  slots_free: 9,
  paused: false,
  pool_hits: 1_000,
  accounts: { free: 25, assigned: 1_204 },
  delivered_by: { notify: 1_204 },
  slots_out: [],
  instances: [INSTANCE],
};
const FUNDER: Funder = { name: 'funder-1', address: '0xf8d6e0586b0a20c7', balance: '812.50000000', low: false, days_left: 63, slots: [] };
const verdictOf = (changes: Partial<Status>, funders: readonly Funder[] = [FUNDER]) => judge({ ...WELL, ...changes }, funders);
const out = (slots: number) => Array.from({ length: slots }, (_, key) => ({ slot: `0xf8d6e0586b0a20c7/${key}`, reason: 'it has no FLOW left' }));

describe('where all is well, the headline says so in words', () => {
  it.each([
    [{}, 'All 1,204 users have a wallet'],
    [{ wallets: 1, ready: 1 }, 'The only user has a wallet'],
    [{ wallets: 0, ready: 0 }, 'No user has signed up yet'],
    [{ ready: 1_200 }, '1,200 of 1,204 users have a wallet'],
  ])('%o', (changes, headline) => expect(verdictOf(changes)).toEqual({ level: 'good', headline, troubles: [] }));
});

describe('users who wait', () => {
  it('for seconds are the usual work', () =>
    expect(verdictOf({ ready: 1_201, waiting: 3, oldest_waiting_s: 2.4 })).toMatchObject({ level: 'busy', headline: '1,201 of 1,204 users have a wallet, 3 wait, the oldest for 2 s', troubles: [] }));

  it('for a minute are what is wrong', () =>
    expect(verdictOf({ ready: 1_203, waiting: 1, oldest_waiting_s: 187 })).toMatchObject({ level: 'bad', headline: '1 user waits for a wallet, for 3 min', troubles: [{ level: 'bad' }] }));

  it('while it is paused wait for whoever paused it', () =>
    expect(verdictOf({ waiting: 12, oldest_waiting_s: 900, paused: true })).toMatchObject({ level: 'paused', headline: 'Paused: nothing is made, given or sent, and 12 users wait', troubles: [] }));
});

describe('each trouble is told with what mends it, the worst first', () => {
  it.each<[what: string, changes: Partial<Status>, funders: readonly Funder[], level: string, text: string]>([
    ['no instance', { instances: [] }, [], 'bad', 'No instance is running'],
    ['the access node', { instances: [{ ...INSTANCE, access_node: { state: 'down', reason: 'no answer for 3 s' } }] }, [], 'bad', 'The access node is down: no answer for 3 s'],
    ['a mute source', { instances: [{ ...INSTANCE, sources: { realtime: { state: 'mute', reason: 'its canary did not come back' } } }] }, [], 'warn', 'The source realtime is mute: its canary did not come back'],
    ['one slot', { slots_out: out(1) }, [], 'warn', '1 of 9 slots is out of rotation'],
    ['all slots', { slots_out: out(9) }, [], 'bad', 'No slot can send: all 9 are out of rotation'],
    ['no slot', { slots: 0, slots_free: 0 }, [], 'bad', 'There is no slot to send from'],
    ['a low funder', {}, [{ ...FUNDER, balance: '0.81300000', low: true, days_left: 0.4 }], 'warn', 'funder-1 has 0.813 FLOW left, below its low mark'],
    ['few days of FLOW', {}, [{ ...FUNDER, days_left: 1.5 }], 'warn', "The FLOW of funder-1 lasts 1 d 12 h at last week's rate"],
    ['a funder without an account', {}, [{ ...FUNDER, balance: null, low: null, days_left: null, chain_error: 'does not exist on chain' }], 'warn', 'funder-1 cannot be looked up: does not exist on chain'],
    ['a stuck transaction', { oldest_transaction_s: 240 }, [], 'warn', 'A transaction is unsealed for 4 min'],
    ['corrupted wallets', { corrupted: 3 }, [], 'warn', '3 wallets are corrupted: nothing is sent to them'],
    ['wallets set apart', { apart: 1 }, [], 'warn', '1 wallet is set apart from the sweeps'],
    ['failed accounts', { accounts: { failed: 4 } }, [], 'warn', '4 accounts failed standing alone'],
  ])('%s', (_, changes, funders, level, text) => {
    const verdict = verdictOf(changes, funders);
    expect(verdict).toMatchObject({ level, troubles: [{ level, text, mend: expect.stringMatching(/\S{3}/) }] });
    expect(verdict.headline).toBe(level === 'bad' ? text : 'All 1,204 users have a wallet');
  });

  it('all at once', () => {
    const { level, headline, troubles } = verdictOf({ waiting: 2, oldest_waiting_s: 70, corrupted: 1, slots_out: out(9) });
    expect({ level, headline }).toEqual({ level: 'bad', headline: '2 users wait for a wallet, the oldest for 1 min' });
    expect(troubles.map((trouble) => trouble.level)).toEqual(['bad', 'bad', 'warn']);
  });

  it('names the instance only where there are several', () =>
    expect(verdictOf({ instances: [INSTANCE, { ...INSTANCE, pid: 8, access_node: { state: 'down', reason: null } }] }).headline).toBe('The access node is down (seen by host:8)'));
});
