import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

const run = async (...args: string[]) => {
  const { stdout, exitCode } = await execa('node', ['dist/dev/demo.js', '--users', '50', '--exit', '--json', ...args], { reject: false, timeout: 110_000 });
  return { exitCode, lines: stdout.split('\n').length, summary: JSON.parse(stdout) as Record<string, unknown> };
};

describe('npm start -- --users 50 --exit --json', () => {
  it.each([{ args: [] as string[], hits: 25 }, { args: ['--pool', '0'], hits: 0 }])('prints one final line: 50 ready, none failed, no duplicates ($args)', async ({ args, hits }) => {
    const { exitCode, lines, summary } = await run(...args);
    expect(exitCode).toBe(0);
    expect(lines).toBe(1);
    expect(Object.keys(summary)).toEqual(['users', 'ready', 'failed', 'duplicates', 'transactions', 'p50_ms', 'p99_ms', 'pool_hits', 'delivered_by']);
    expect(summary).toMatchObject({ users: 50, ready: 50, failed: 0, duplicates: 0 });
    expect(summary['pool_hits']).toBe(hits);
    expect(Object.values(summary['delivered_by'] as Record<string, number>).reduce((sum, users) => sum + users, 0)).toBe(50);
    expect(summary['p99_ms']).toBeGreaterThan(0);
  });
});
