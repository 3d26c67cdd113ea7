import { afterAll, beforeAll, test } from 'vitest';
import { loadFcl } from '../../../src/flow/fcl.js';
import { calmCommands, commands } from './commands.js';
import { hold } from './hold.js';
import { playRun, startPropertyDatabase, type PropertyDatabase } from './play.js';

let property: PropertyDatabase;
beforeAll(async () => {
  await loadFcl();
  property = await startPropertyDatabase();
});
afterAll(() => property?.stop());

test('whatever happens, in whatever order, every invariant holds after each step, and in the end each user has one wallet', async () => {
  await hold({ commands, play: (shape, commands) => playRun(property, shape, commands), withinMs: 150_000, runsAtLeast: 30 });
});

test('while nothing goes wrong, instances together make no account more than is wanted', async () => {
  await hold({ commands: calmCommands, play: (shape, commands) => playRun(property, shape, commands, { isCalm: true }), withinMs: 30_000, runsAtLeast: 5 });
});
