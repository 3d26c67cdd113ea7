import { expect, it } from 'vitest';
import { createFeedModel } from '../../dashboard/feedModel.js';

const AT = '2026-01-01T00:00:00.000Z';
const ready = (auth_id: string, waited_ms = 30) => ({ auth_id, address: '0x01', at: AT, waited_ms, source: 'notify', from_pool: true });

it('a sign-up waits until its wallet is ready', () => {
  const feed = createFeedModel(10);
  feed.signedUp({ auth_id: 'a', at: AT });
  expect(feed.rows()).toEqual([{ authId: 'a', signedUpAt: Date.parse(AT), ready: null }]);
  feed.becameReady(ready('a', 420));
  expect(feed.rows()).toEqual([{ authId: 'a', signedUpAt: Date.parse(AT), ready: { address: '0x01', waitedMs: 420, source: 'notify', fromPool: true } }]);
});

it('a wallet whose sign-up was not heard shows when that was', () => {
  const feed = createFeedModel(10);
  feed.becameReady(ready('a', 1_000));
  expect(feed.rows()[0]).toMatchObject({ signedUpAt: Date.parse(AT) - 1_000 });
});

it('a sign-up that is heard late or twice makes no ready user wait', () => {
  const feed = createFeedModel(10);
  feed.becameReady(ready('a'));
  feed.signedUp({ auth_id: 'a', at: AT });
  expect(feed.rows()).toMatchObject([{ ready: { waitedMs: 30 } }]);
});

it('shows the newest sign-up first, whichever was heard of first', () => {
  const feed = createFeedModel(3);
  for (const [auth_id, at] of [['b', '2026-01-01T00:00:02Z'], ['c', '2026-01-01T00:00:03Z'], ['a', '2026-01-01T00:00:01Z']] as const) feed.signedUp({ auth_id, at });
  expect(feed.rows().map((row) => row.authId)).toEqual(['c', 'b', 'a']);
});

it('is bounded: the oldest ready one goes, and who waits stays as long as there are others', () => {
  const feed = createFeedModel(3);
  feed.signedUp({ auth_id: 'waits', at: AT });
  for (const id of ['a', 'b', 'c']) feed.becameReady(ready(id, 0));
  expect(feed.rows().map((row) => row.authId)).toEqual(['c', 'b', 'waits']);
  for (const id of ['d', 'e', 'f', 'g']) feed.signedUp({ auth_id: id, at: AT });
  expect(feed.rows().map((row) => row.authId)).toEqual(['g', 'f', 'e']);
});
