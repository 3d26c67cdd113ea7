import { expect, it } from 'vitest';
import { toColumns } from '../../dashboard/series.js';

const SAMPLE = { sign_ups: 6, ready: 4, p50_ms: null, p99_ms: 900, waiting: 2, free: 20, rss_bytes: 1, cpu_ratio: 0.1, event_loop_lag_ms: 1, db_connections: 5 };
const at = (minute: number) => ({ ...SAMPLE, at: `2026-01-01T00:${`${minute}`.padStart(2, '0')}:00Z` });
const START = Date.parse('2026-01-01T00:00:00Z') / 1_000;

it('samples become columns of one length', () => {
  const { times, column } = toColumns({ step_s: 60, samples: [at(0), at(1)] });
  expect(times).toEqual([START, START + 60]);
  expect([column('p50_ms'), column('p99_ms')]).toEqual([[null, null], [900, 900]]);
});

it('a time without samples is a gap, not a line across it', () => {
  const { times, column } = toColumns({ step_s: 60, samples: [at(0), at(1), at(9)] });
  expect(times).toEqual([START, START + 60, START + 120, START + 540]);
  expect(column('waiting')).toEqual([2, 2, null, 2]);
});

it('counts of longer steps are shown for a minute', () => {
  const { perMinute } = toColumns({ step_s: 300, samples: [at(0), at(5)] });
  expect(perMinute('sign_ups')).toEqual([1.2, 1.2]);
});

it('a sample that comes twice is drawn once', () => {
  expect(toColumns({ step_s: 60, samples: [at(0), at(0), at(1)] }).times).toEqual([START, START + 60]);
});
