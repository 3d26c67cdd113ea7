import { expect, it } from 'vitest';
import { runCommand } from '../support/command.js';

it.each([['status'], ['pause'], ['resync'], ['orphans'], ['retry', '--all-failed']])('%s without a database: exit 1, what is wrong and its mend as one JSON line, no password', async (...args) => {
  const { code, stdout, stderr } = await runCommand(['--json', ...args], { DATABASE_URL: 'postgresql://u:hidden@127.0.0.1:1/d' });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(JSON.parse(stderr)).toMatchObject({ kind: 'network', mend: expect.stringContaining('DATABASE_URL') as string });
  expect(stderr).not.toContain('hidden');
});
