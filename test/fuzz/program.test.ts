import { CommanderError, type Command } from 'commander';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { AppError } from '../../src/errors.js';
import { queryRows, type Db } from '../../src/journal/pool.js';
import { lastCycles } from '../../src/journal/cycles.js';
import { readErrorKinds } from '../../src/journal/errorKinds.js';
import { readSlots } from '../../src/journal/funders.js';
import { livingInstances } from '../../src/journal/instances.js';
import { readControl } from '../../src/journal/control.js';
import { readHistory } from '../../src/journal/history.js';
import { createLogTail, passes } from '../../src/logTail.js';
import { createProgram } from '../../src/program.js';
import { createRedactor } from '../../src/redact.js';
import { createVault } from '../../src/secrets.js';
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.js';
import { bytesLike, hostileText, hostileValue, likeOneOf, toJson } from '../support/hostile.js';

/** The program, whose commands do nothing. */
function tameProgram(): { program: Command; words: string[] } {
  const program = createProgram();
  const words = new Set<string>();
  const tame = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined }).action(() => undefined);
    words.add(command.name());
    for (const option of command.options) if (option.long) words.add(option.long);
    for (const inner of command.commands) tame(inner);
  };
  tame(program);
  return { program, words: [...words] };
}

test('10,000 command lines: taken, or refused as used wrongly', async () => {
  const { words } = tameProgram();
  let { program } = tameProgram();
  let used = 0;
  await fuzz(fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: hostileText.map((text) => text.slice(0, 200)) }, { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...words), hostileText).map(([word, text]) => `${word}=${text.slice(0, 200)}`) }), { maxLength: 5 }), async (args) => {
    // What one line sets stands for the next: now and then a new one.
    if ((used += 1) % 50 === 0) ({ program } = tameProgram());
    try {
      await program.parseAsync(args, { from: 'user' });
    } catch (thrown) {
      if (!(thrown instanceof CommanderError)) throw thrown;
    }
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 rows for each kind of report: read, or refused as data', async () => {
  const row = likeOneOf(
    { id: 1, started_at: new Date(0), ended_at: null, reason: 'timer', total_wallets: 1, synced_wallets: 1, calls: {}, errors: {}, stages: {} },
    { id: 'x', host: 'h', pid: 1, http_url: null, statistics: { sources: { notify: { state: 'ok', reason: null } } } },
    { what: 'user', kind: 'data', count: 1, last_at: new Date(0), message: 'x', solution: null },
    { address: '0x01cf0e2f2f715450', key_index: 0, role: 'funder', out_of_rotation: null, paused: false, resyncs: false },
  );
  const readers = [(db: Db) => lastCycles(db, 5), livingInstances, readErrorKinds, readSlots, readControl, (db: Db) => readHistory(db, { minutes: 5 }), (db: Db) => queryRows(db, z.object({ id: z.number() }), '')];
  await fuzz(fc.tuple(fc.constantFrom(...readers), fc.array(row, { maxLength: 3 })), async ([read, rows]) => {
    const db = { query: () => Promise.resolve({ rows, rowCount: rows.length }) } as unknown as Db;
    await read(db);
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 log lines: kept within the bounds, filtered, and without a secret', async () => {
  const tail = createLogTail({ maxLines: 100, maxBytes: 100_000 });
  const clean = createRedactor(['privateKey']);
  const line = bytesLike(likeOneOf({ level: 30, time: 'x', privateKey: 'SECRET', deep: { PRIVATEKEY: ['SECRET'] } }).map(toJson)).map((bytes) => bytes.toString());
  await fuzz(line, (text) => {
    const shown = clean(text);
    if (/^\{"level":30,"time":"x","privateKey":"SECRET"/.test(text)) expect(shown).not.toMatch(/"privateKey":"SECRET"/);
    tail.write(shown);
    passes(shown, { level: 30, user: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' });
    expect(tail.lines().length).toBeLessThanOrEqual(100);
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 stored keys: none opens but the one that was sealed', async () => {
  const vault = createVault(Buffer.alloc(32, 7));
  const sealed = vault.seal('ab'.repeat(32), 'public');
  await fuzz(fc.tuple(bytesLike(fc.constant(sealed)), fc.oneof(fc.constant('public'), hostileText)), ([text, publicKey]) => {
    try {
      expect(vault.open(text.toString(), publicKey)).toBe('ab'.repeat(32));
      expect([text.toString(), publicKey]).toEqual([sealed, 'public']);
    } catch (thrown) {
      if (thrown instanceof AppError) expect(thrown.message).not.toContain('ab'.repeat(32));
      throw thrown;
    }
  });
}, FUZZ_TIMEOUT_MS);

test('10,000 things thrown: each becomes an error that can be shown', async () => {
  const { toAppError } = await import('../../src/errors.js');
  await fuzz(fc.tuple(hostileValue, hostileText), ([value, text]) => {
    for (const thrown of [value, new Error(text), Object.assign(new Error(text), { code: 'ENOENT', syscall: 'open', path: text })]) expect(toAppError(thrown).explain()).not.toMatch(/(?![\n\t])\p{Cc}|\p{Cs}/u);
  });
}, FUZZ_TIMEOUT_MS);
