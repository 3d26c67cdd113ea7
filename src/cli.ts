#!/usr/bin/env node
import { keepHeapSmall } from './heap.js';
import { createProgram, runProgram } from './program.js';

keepHeapSmall();
const status = await runProgram(createProgram(), process.argv);
// What may still be open is not worth waiting for; output is flushed first.
process.stdout.write('', () => process.exit(status));
