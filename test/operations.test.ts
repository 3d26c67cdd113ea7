import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packagePath } from '../src/packagePath.js';
import { SETTING_NAMES } from '../src/settings.js';

const read = (...parts: string[]): string => readFileSync(packagePath(...parts), 'utf8');
const operations = read('docs', 'operations.md');
const failures = read('docs', 'failures.md');

/** A heading's anchor, as GitHub makes it. */
const anchorsOf = (text: string): string[] => [...text.matchAll(/^#{2,3} (.+)$/gm)].map(([, title]) => title!.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
const KINDS = [...(/export type ErrorKind =([^;]+);/.exec(read('src', 'errors.ts'))?.[1] ?? '').matchAll(/'([a-z-]+)'/g)].map(([, kind]) => kind!);
/** The runbook sections that the alert rules name. */
const ALERTS = [...read('deploy', 'prometheus', 'alerts.yml').matchAll(/runbook: docs\/operations\.md#(\S+)/g)].map(([, anchor]) => anchor!);

describe('docs/operations.md', () => {
  it.each(ALERTS)('has a section for the alert %s', (alert) => {
    expect(anchorsOf(operations)).toContain(alert);
  });

  it('has a section for each kind of error', () => {
    expect(KINDS.length).toBeGreaterThan(10);
    for (const kind of KINDS) expect(anchorsOf(operations)).toContain(kind);
  });
});

describe('docs/failures.md', () => {
  it.each(['process is killed', 'database is away', 'access node is away', 'access node lies', 'Realtime is mute', 'funder is empty', 'Two instances', 'disk is full', 'user is deleted', 'schema is dropped', 'clock is wrong', 'master key is wrong'])('tells of: %s', (what) => {
    expect(failures).toMatch(new RegExp(`^## .*${what}`, 'm'));
  });
});

it.each([
  ['operations.md', operations],
  ['failures.md', failures],
])('%s names commands, settings, files and sections that there are', (_, text) => {
  const cli = [read('src', 'program.ts'), read('src', 'commands', 'keys', 'commands.ts'), read('src', 'commands', 'ledger', 'commands.ts')].join('\n');
  for (const [, command] of text.matchAll(/`wallet-sync ([a-z]+)/g)) expect(cli, command).toMatch(new RegExp(`(command\\('|\\[')${command!}'`));
  for (const [name] of text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)) expect([...SETTING_NAMES, 'SKIP_LOCKED'], name).toContain(name);
  for (const [, target = '', anchor = ''] of text.matchAll(/\]\(([\w.]*)#([\w-]+)\)/g)) expect(anchorsOf(target === '' ? text : read('docs', target)), anchor).toContain(anchor);
  for (const [, path] of text.matchAll(/`((?:src|test|docs|deploy)\/[\w./]+)`/g)) expect(existsSync(packagePath(path!)), path).toBe(true);
});
